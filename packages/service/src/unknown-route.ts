import type { FastifyRequest } from 'fastify'
import type { App } from './http.ts'
import { Problem } from './problem.ts'

/**
 * Answers what no route matches, before its body is read: 405 with Allow when the path has other methods, else 404.
 * `reply.callNotFound()` leads here too, for a route that stands in for many paths.
 */
export function refuseUnknownRoutes(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => done(request.is404 ? unknownRoute(app, request) : undefined))
  app.setNotFoundHandler((request) => {
    throw unknownRoute(app, request)
  })
}

function unknownRoute(app: App, { method, url }: FastifyRequest): Problem {
  const allowed = app.supportedMethods.filter((other) => {
    const route = app.findRoute({ method: other, url })
    // A route for `/*`, such as the web app's files, does not make every path a known one.
    return route !== null && !('*' in route.params)
  })
  // Also when the method is among them: then `callNotFound` said that this one is not there.
  if (allowed.length === 0 || allowed.includes(method)) return new Problem('not_found')
  return new Problem('method_not_allowed', { headers: { allow: allowed.join(', ') } })
}
