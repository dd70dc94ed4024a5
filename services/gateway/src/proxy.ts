import httpProxy from '@fastify/http-proxy'
import { authentication, type OriginPolicy, Problem, type Verifier } from '@pando/service'
import type { FastifyPluginAsync } from 'fastify'
import { buildConnector } from 'undici'
import { createEventStreams } from './event-streams.ts'

// While nobody takes connections, nothing has been sent: whatever the request is, it can wait a moment for somebody who does.
const CONNECT_AGAIN_MS = [50, 150, 400] as const
const CONNECT_TIMEOUT_MS = 10_000
// A connection that is not used for so long is closed here, well before a service that drains closes it (LEAD_MS of a host): a request
// on a connection that the other side closes in that moment fails, and nobody knows whether it had its effect.
const IDLE_MS = 1_000
// Answers that never came to requests that may be asked twice.
const ASK_AGAIN_MS = [50, 250] as const
const BROKEN = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
const STREAM_DRAIN_MS = 2_000
// The market takes files of 10 MiB, and reads up to this much to be heard when it refuses a larger one.
const UPLOADS = { path: '/api/images', bytes: 32 << 20 } as const

/** Where requests of these paths go. */
export interface Upstream {
  url: string
  paths: readonly string[]
}

/**
 * Passes requests on to services elsewhere, and their answers back as they come, streams too. Cookies are judged here, where browsers
 * speak to us: a request that passes has an Origin of ours, or none. What was certainly not sent, and GET or HEAD without an answer,
 * is tried again for a moment; anything else that fails is the client's to repeat.
 */
export const proxy: FastifyPluginAsync<{
  upstreams: readonly Upstream[]
  verifier: Verifier
  origins: OriginPolicy
}> = async (app, { upstreams, verifier, origins }) => {
  await app.register(authentication, { verifier, origins })
  // Bodies pass through as they are; the service checks them. But one that it would not read to the end is refused here.
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', ({ headers, url }, _reply, done) => {
    const limit = url.startsWith(UPLOADS.path) ? UPLOADS.bytes : app.initialConfig.bodyLimit!
    const tooLarge = Number(headers['content-length']) > limit
    done(tooLarge ? new Problem('payload_too_large', { headers: { connection: 'close' } }) : undefined)
  })
  const streams = createEventStreams()
  app.addHook('preClose', async () => streams.end(STREAM_DRAIN_MS))
  for (const { url, paths } of upstreams)
    for (const path of paths)
      await app.register(httpProxy, {
        upstream: url,
        prefix: path,
        rewritePrefix: path,
        disableRequestLogging: true,
        // A sign-up may wait its turn to be hashed; a stream is never silent for longer than 15 s.
        // As many connections as there are open streams; its default of 128 would let nobody else in after so many.
        undici: {
          connections: null,
          headersTimeout: 120_000,
          bodyTimeout: 60_000,
          keepAliveTimeout: IDLE_MS,
          keepAliveMaxTimeout: IDLE_MS,
          connect: patiently(buildConnector({ timeout: CONNECT_TIMEOUT_MS })),
        },
        replyOptions: {
          // Trouble that is told is not asked for again: whoever waits knows best how often to come back.
          retryDelay: ({ err, req, attempt }) =>
            (req.method === 'GET' || req.method === 'HEAD') && BROKEN.has(codeOf(err))
              ? (ASK_AGAIN_MS[attempt] ?? null)
              : null,
          onResponse(_request, reply, { stream }) {
            const isStream = String(reply.getHeader('content-type')).startsWith('text/event-stream')
            void reply.send(isStream ? streams.pass(stream) : stream)
          },
          // What the service says of its connection is not meant for the client's.
          rewriteHeaders: (headers) =>
            Object.fromEntries(
              Object.entries(headers).filter(([name]) => name !== 'connection' && name !== 'keep-alive'),
            ),
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
          rewriteRequestHeaders: ({ ip, id, traceparent }, headers) => {
            const { origin, ...rest } = headers
            // Judged already; the service would take the gateway's own origin for a foreign one.
            return {
              ...rest,
              ...(origin !== undefined && { 'sec-fetch-site': 'same-origin' }),
              ...(traceparent !== undefined && { traceparent }),
              'x-forwarded-for': ip,
              'x-request-id': String(id),
            }
          },
        },
      })
}

function patiently(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    const attempt = ([pauseMs, ...pauses]: readonly number[]): void =>
      connect(options, (...result) => {
        if (codeOf(result[0]) === 'ECONNREFUSED' && pauseMs !== undefined) setTimeout(attempt, pauseMs, pauses)
        else callback(...result)
      })
    attempt(CONNECT_AGAIN_MS)
  }
}

const codeOf = (err: Error | null): string => String((err as NodeJS.ErrnoException | null)?.code)
