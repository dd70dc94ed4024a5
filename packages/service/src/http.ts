import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import cookie from '@fastify/cookie'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify, LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { acceptInput } from './input.ts'
import { serveOpenApi } from './openapi.ts'
import type { ApiInfo } from './openapi.ts'
import { Problem, problemBody, toProblem } from './problem.ts'
import { securityHeaders } from './security-headers.ts'
import { traceparentOf } from './traceparent.ts'
import { refuseUnknownRoutes } from './unknown-route.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The W3C trace context that the request came with, for the events it causes; undefined when it had none or a broken one. */
    traceparent: string | undefined
  }
}

/** A Fastify instance whose routes are typed by their TypeBox schemas. */
export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>

export interface AppOptions {
  log: FastifyBaseLogger
  /** What the OpenAPI document says of itself. */
  info: ApiInfo
  /** Whose X-Forwarded-* headers are believed: the gateway's or a proxy's address. Default: nobody's. */
  trustProxy?: string | string[] | undefined
  /** The public origin is https: browsers are told to stay with it. */
  https?: boolean
  /** OpenAPI documents of services elsewhere, to be shown with this one's. */
  documents?: () => Promise<readonly object[]>
  /** In bytes; default 1 MiB. */
  bodyLimit?: number
}

/**
 * The HTTP server of a process, with everything that holds for every answer: problem+json for all errors, 404 and 405, X-Request-Id,
 * security headers, JSON input rules, cookies, `/api/openapi.json` and `/api/docs`. Services register their routes in it; no route
 * may be registered before.
 * Headers that every answer has are set on the raw response, so that a hijacked reply (a stream) has them too.
 */
export async function createApp({
  log,
  info,
  trustProxy,
  https = false,
  documents,
  bodyLimit = 1 << 20,
}: AppOptions): Promise<App> {
  const headers = securityHeaders({ https })
  const app: App = fastify({
    // At `info` Fastify tells that it listens, which the ready line does.
    loggerInstance: log.level === 'info' && 'child' in log ? log.child({}, { level: 'warn' }) : log,
    logController: new QuietLog({ requestIdLogLabel: 'requestId' }),
    trustProxy: trustProxy ?? false,
    bodyLimit,
    genReqId: requestId,
    // Time to receive a whole request, so that nobody can hold connections with a byte a minute; answers may take longer.
    requestTimeout: 120_000,
    // While closing, what still comes on a kept-alive connection is answered as usual; Fastify's own 503 is no problem+json.
    return503OnClosing: false,
    // Schemas say how long an id or a keyword may be; this only bounds what they are asked about.
    routerOptions: { maxParamLength: 2048 },
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: false,
        useDefaults: true,
        allErrors: true,
        discriminator: true,
      },
    },
    frameworkErrors: (error, request, reply) => {
      open(request, reply as FastifyReply)
      fail(error, request, reply as FastifyReply)
    },
    clientErrorHandler: refuseConnection,
  }).withTypeProvider<TypeBoxTypeProvider>()

  function open(request: FastifyRequest, reply: FastifyReply): void {
    reply.raw.setHeader('x-request-id', request.id)
    for (const [name, value] of headers) reply.raw.setHeader(name, value)
  }

  app.decorateRequest('traceparent', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    open(request, reply)
    request.traceparent = traceparentOf(request.headers.traceparent)
    done()
  })
  app.setErrorHandler(fail)
  await app.register(cookie)
  refuseUnknownRoutes(app)
  acceptInput(app)
  await serveOpenApi(app, info, documents)
  return app
}

function fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(thrown)
  const { code, status, cause } = problem
  const { traceparent } = request
  if (code === 'internal')
    request.log.error(
      { err: cause ?? problem, method: request.method, route: request.routeOptions.url, traceparent },
      'internal error',
    )
  // A client that went away also ends here: its broken connection is no news.
  else if (code === 'unavailable' && cause && !request.socket?.destroyed)
    request.log.warn({ err: cause, traceparent }, 'unavailable')
  reply
    .code(status)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, request.id)))
}

const VISIBLE_ASCII = /^[\x21-\x7e]{1,128}$/

// A caller's id is taken over, so that its log and ours can be joined, unless it could harm a log.
function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && VISIBLE_ASCII.test(given) ? given : randomUUID()
}

// Errors are logged where they are answered, once; that a request came and went is told on demand only.
class QuietLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const { method, routeOptions, log } = request
    log.debug(
      { err: error, method, route: routeOptions.url, status: reply.statusCode, ms: reply.elapsedTime },
      'request',
    )
  }
}

// What came is no HTTP, has more than 16 KiB of headers, or took too long.
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  // Bytes in the middle of an answer that is being sent, say a stream, would only garble it.
  if (error.code !== 'ECONNRESET' && socket.writable && socket.bytesWritten === 0) {
    const problem = new Problem('validation_failed', {
      detail: 'The request is no HTTP/1.1, or its headers are too large.',
    })
    const body = JSON.stringify(problemBody(problem, ''))
    socket.write(
      `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nX-Request-Id: ${randomUUID()}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy(error)
}
