import limiter from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from './problem.ts'

export interface RateLimitOptions {
  /** RATE_LIMIT; false: no limits at all. */
  enabled: boolean
  /** Requests of one address to all routes. */
  perAddress?: Limit
  /** Log-ins of one address. */
  logInsPerAddress?: Limit
  /** Log-ins of one address to one account. */
  logInsPerAccount?: Limit
}

export interface Limit {
  max: number
  withinMs: number
}

type Count = (
  request: FastifyRequest,
) => Promise<{ isAllowed: true } | { isAllowed: false; isExceeded: boolean; ttlInSeconds: number }>

declare module 'fastify' {
  interface FastifyInstance {
    /** Set by `rateLimit`. */
    logInLimits?: Count[]
  }
}

/**
 * Bounds what one address (an IPv6 network of /64) may ask of this process. The address is the socket's unless `trustProxy` of the app
 * says whose X-Forwarded-For is believed. A route can opt out with `config: { rateLimit: false }`.
 */
export const rateLimit = fp<RateLimitOptions>(
  async (app, { enabled, perAddress, logInsPerAddress, logInsPerAccount }) => {
    if (!enabled) return
    await app.register(limiter, { global: false, cache: 50_000 })
    const limit = ({ max, withinMs }: Limit, key = {}): Count =>
      app.createRateLimit({ max, timeWindow: withinMs, ...key })

    const requests = limit(perAddress ?? { max: 300, withinMs: 10_000 })
    app.addHook('onRequest', async (request) => {
      if (request.routeOptions.config.rateLimit !== false) await refuseAbove(requests, request)
    })
    app.decorate('logInLimits', [
      limit(logInsPerAddress ?? { max: 60, withinMs: 60_000 }),
      limit(logInsPerAccount ?? { max: 10, withinMs: 60_000 }, { keyGenerator: accountKey }),
    ])
  },
  { name: 'rate-limit' },
)

/** A `preHandler` for the log-in: throws rate_limited when too many were tried. Does nothing where limits are off. */
export async function limitLogIns(request: FastifyRequest): Promise<void> {
  for (const count of request.server.logInLimits ?? []) await refuseAbove(count, request)
}

async function refuseAbove(count: Count, request: FastifyRequest): Promise<void> {
  const counted = await count(request)
  if (counted.isAllowed || !counted.isExceeded) return
  throw new Problem('rate_limited', { headers: { 'retry-after': String(Math.max(1, counted.ttlInSeconds)) } })
}

function accountKey({ ip, body }: FastifyRequest): string {
  const username = typeof body === 'object' && body && 'username' in body ? String(body.username) : ''
  return JSON.stringify([ip, username])
}
