import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'
import { fileURLToPath } from 'node:url'

/** The page at `/` and its files. */
export const page: FastifyPluginAsync = async (app) => {
  await app.register(fastifyStatic, {
    root: fileURLToPath(new URL('../public/', import.meta.url)),
    // Each file a route of its own: no path can lead elsewhere, and unknown ones stay problems.
    wildcard: false,
    cacheControl: false,
    setHeaders(response) {
      void response.header('cache-control', 'no-cache')
    },
  })
}
