import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../../../web/dist/', import.meta.url))

/**
 * The web app: its files, and its page for every address that only the app knows. Files with a hash in their name never change; what is
 * not the app's (anything under /api, anything that no browser navigates to) stays unknown.
 */
export const web: FastifyPluginAsync<{ root?: string }> = async (app, { root = DIST }) => {
  if (!existsSync(`${root}index.html`)) {
    app.log.warn('the web app has not been built: run npm run build -w @pando/web')
    return
  }
  await app.register(fastifyStatic, {
    root,
    // Each file a route of its own: no path can lead elsewhere, and unknown ones stay problems.
    wildcard: false,
    globIgnore: ['.vite/**', '**/*.{br,gz}'],
    preCompressed: true,
    cacheControl: false,
    setHeaders(response, path) {
      const isHashed = path.includes('/assets/')
      void response.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      void response.header('vary', 'accept-encoding')
    },
  })
  app.get('/*', { schema: { hide: true } }, (request, reply) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const isNavigation = request.headers.accept?.includes('text/html') ?? false
    // A name with a dot is a file, which is not there (any more).
    if (!isNavigation || /^\/(api|metrics|assets)(\/|$)/.test(pathname) || /\.\w+$/.test(pathname))
      return reply.callNotFound()
    return reply.sendFile('index.html')
  })
}
