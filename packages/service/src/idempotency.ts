import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { isUnsafe } from './auth.ts'
import type { Answer, Claim, IdempotencyStore } from './idempotency-store.ts'
import { Problem } from './problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The right of this request to be the one that counts, when it has an Idempotency-Key. For `storeAnswers`. */
    claim: Claim | undefined
    /** In a route with `idempotency: 'manual'`: the answer that the same request had before; nothing may be done again. */
    firstAnswer: Answer | undefined
  }
  interface FastifyContextConfig {
    /**
     * 'off': the header means nothing here (say, for a body that is a stream and cannot be compared).
     * 'manual': an answer that was given before is not repeated by itself but handed to the handler as `request.firstAnswer`.
     */
    idempotency?: 'off' | 'manual'
  }
}

const PURGE_EVERY_MS = 3_600_000
const KEY = /^[\x21-\x7e]{1,128}$/
const KEPT_HEADERS = ['content-type', 'location', 'set-cookie', 'www-authenticate']

/**
 * Honours Idempotency-Key on the unsafe routes of a scope: the same request again gets the first answer again, another one under the same
 * key 409. Answers are stored just before they are sent; a handler that stores its own with `storeAnswers`, in the transaction of its
 * effect, has the effect exactly once. 5xx and 429 are not kept, nor are streams.
 * Register it before the routes. Hooks that find out who calls must run before: `onRequest` or `preHandler` will do.
 */
export const idempotency = fp<{ store: IdempotencyStore }>(
  async (scope, { store }) => {
    scope.decorateRequest('claim', undefined)
    scope.decorateRequest('firstAnswer', undefined)
    scope.addHook('onRoute', (route) => {
      if (!isUnsafe(String(route.method)) || route.config?.idempotency === 'off') return
      // At the end of the route's own hooks, when the caller is known and the body is valid.
      route.preHandler = [...[route.preHandler ?? []].flat(), claimOrRepeat]
      route.onSend = [...[route.onSend ?? []].flat(), keepAnswer]
      route.onResponse = [...[route.onResponse ?? []].flat(), letGo]
    })

    const purge = () =>
      void store.purge().catch((err: unknown) => scope.log.warn({ err }, 'old idempotency keys were not purged'))
    let timer: NodeJS.Timeout | undefined
    scope.addHook('onReady', async () => void (timer = setInterval(purge, PURGE_EVERY_MS).unref()))
    scope.addHook('onClose', async () => clearInterval(timer))

    async function claimOrRepeat(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
      const key = request.headers['idempotency-key']
      if (key === undefined) return undefined
      if (typeof key !== 'string' || !KEY.test(key))
        throw new Problem('validation_failed', { detail: 'An Idempotency-Key has 1 to 128 visible ASCII characters.' })
      const claimed = await store.claim({
        owner: request.identity?.userId ?? '',
        key,
        fingerprint: store.fingerprint(partsOf(request)),
      })
      if ('id' in claimed) request.claim = claimed
      else if (request.routeOptions.config.idempotency === 'manual') request.firstAnswer = claimed
      else return repeatAnswer(reply, claimed)
      return undefined
    }

    async function keepAnswer({ claim, log }: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
      if (!claim || claim.settled) return payload
      const body = bodyOf(payload)
      const isFinal = reply.statusCode < 500 && reply.statusCode !== 429 && body !== undefined
      if (!isFinal) await store.release(claim)
      else
        await store
          .store({ claim, answer: { status: reply.statusCode, headers: keptHeaders(reply), body } })
          .catch((err: unknown) => {
            // The effect is there: to say that it failed would be wrong, and so would another one. The claim ends by itself.
            claim.settled = true
            log.error({ err }, 'an answer could not be kept for its Idempotency-Key')
          })
      return payload
    }

    // A reply that was hijacked, or whose client went away, never comes to `keepAnswer`.
    async function letGo({ claim }: FastifyRequest): Promise<void> {
      if (claim && !claim.settled) await store.release(claim)
    }
  },
  { name: 'idempotency', dependencies: ['@fastify/cookie'] },
)

/** Sends an answer again. */
export function repeatAnswer(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .send(body ?? undefined)
}

// A caller without an identity may still be somebody, by the refresh cookie: no other anonymous caller may get the answer to that.
function partsOf({ method, url, rawBody, identity, cookies }: FastifyRequest): string[] {
  return [method, url, rawBody ?? '', identity ? '' : (cookies['pando_refresh'] ?? '')]
}

function bodyOf(payload: unknown): string | null | undefined {
  if (payload === undefined || payload === null) return null
  if (typeof payload === 'string') return payload
  return undefined
}

function keptHeaders(reply: FastifyReply): Answer['headers'] {
  const kept = KEPT_HEADERS.map((name) => [name, reply.getHeader(name)] as const)
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined)) as Answer['headers']
}
