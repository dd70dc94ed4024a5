import type { App } from './http.ts'
import type { Tracing } from './tracing.ts'

/**
 * Each request becomes a span, and `request.traceparent` its context, which the events that the request causes take over. A stream's
 * span lasts as long as the stream. Left out: what is not of the API (files, what no route matches), and health, which is asked all the time.
 */
export function traceRequests(app: App, tracing: Tracing): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { url: route } = request.routeOptions
    if (route?.startsWith('/api/') && !route.startsWith('/api/health/')) {
      const span = tracing.request(request.method, route, request.traceparent)
      request.traceparent = span.traceparent
      // The one event that follows in any case: answered, hijacked, or cut off.
      reply.raw.once('close', () => span.end(reply.raw.headersSent ? reply.raw.statusCode : undefined))
    }
    done()
  })
}
