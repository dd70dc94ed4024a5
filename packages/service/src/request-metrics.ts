import { Histogram, type Registry } from 'prom-client'
import type { App } from './http.ts'

/** In seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * Measures requests, from their head to the last byte of the answer, by the pattern of their route: a path may hold names and ids, and
 * there is no end of them. Streams are left out, since they last as long as the client likes, and so is what was cut off.
 */
export function registerRequests(registry: Registry, app: App): void {
  const duration = new Histogram({
    name: 'pando_http_request_duration_seconds',
    help: 'Requests that were answered, without streams',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS,
    registers: [registry],
  })
  app.addHook('onResponse', (request, reply, done) => {
    if (!String(reply.raw.getHeader('content-type')).startsWith('text/event-stream'))
      duration.observe(
        { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.raw.statusCode },
        reply.elapsedTime / 1000,
      )
    done()
  })
}
