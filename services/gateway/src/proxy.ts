import httpProxy from '@fastify/http-proxy'
import { authentication, type OriginPolicy, Problem, type Verifier } from '@pando/service'
import type { FastifyPluginAsync } from 'fastify'

/** Where requests of these paths go. */
export interface Upstream {
  url: string
  paths: readonly string[]
}

/**
 * Passes requests on to services elsewhere, and their answers back as they come, streams too. Cookies are judged here, where browsers
 * speak to us: a request that passes has an Origin of ours, or none.
 */
export const proxy: FastifyPluginAsync<{
  upstreams: readonly Upstream[]
  verifier: Verifier
  origins: OriginPolicy
}> = async (app, { upstreams, verifier, origins }) => {
  await app.register(authentication, { verifier, origins })
  // Bodies pass through as they are; the service checks them. But one that it would not read to the end is refused here.
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    const tooLarge = Number(headers['content-length']) > app.initialConfig.bodyLimit!
    done(tooLarge ? new Problem('payload_too_large', { headers: { connection: 'close' } }) : undefined)
  })
  for (const { url, paths } of upstreams)
    for (const path of paths)
      await app.register(httpProxy, {
        upstream: url,
        prefix: path,
        rewritePrefix: path,
        disableRequestLogging: true,
        // A sign-up may wait its turn to be hashed; a stream is never silent for longer than 15 s.
        undici: { headersTimeout: 120_000, bodyTimeout: 60_000 },
        // Trouble is told, not asked for again: whoever waits knows best how often to come back.
        retryMethods: [],
        replyOptions: {
          onError(reply, { error }) {
            // What is left of the body would be taken for the next request.
            const headers: Record<string, string> = reply.request.raw.complete ? {} : { connection: 'close' }
            void reply.send(
              new Problem('unavailable', {
                detail: 'A service does not answer; try again in a moment.',
                headers,
                cause: error,
              }),
            )
          },
          rewriteRequestHeaders: ({ ip, id }, headers) => {
            const { origin, ...rest } = headers
            // Judged already; the service would take the gateway's own origin for a foreign one.
            return {
              ...rest,
              ...(origin !== undefined && { 'sec-fetch-site': 'same-origin' }),
              'x-forwarded-for': ip,
              'x-request-id': String(id),
            }
          },
        },
      })
}
