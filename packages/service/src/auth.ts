import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { OriginPolicy } from './origin.ts'
import { Problem } from './problem.ts'
import type { Identity, Verifier } from './verifier.ts'

export interface AuthenticationOptions {
  verifier: Verifier
  origins: OriginPolicy
  /** Whether the account of a good token still exists; asked by `requireUser`, `requireAdmin` and `optionalUser`. */
  isLive?: (identity: Identity) => Promise<boolean>
}

declare module 'fastify' {
  interface FastifyInstance {
    authentication: AuthenticationOptions
  }
  interface FastifyRequest {
    /** Set by the hooks `requireUser`, `requireAdmin`, `requireToken` and `optionalUser`, not before. */
    identity: Identity | undefined
  }
}

/**
 * Lets the routes of a scope ask who calls, and keeps other sites out: without an Authorization header a request from a foreign Origin
 * is refused when it has one of our cookies (whatever its method) or is unsafe (it could log a victim in as somebody else).
 */
export const authentication = fp<AuthenticationOptions>(
  async (scope, options) => {
    scope.decorateRequest('identity', undefined)
    scope.decorate('authentication', options)
    scope.addHook('onRequest', (request, _reply, done) => done(refuseForeign(request, options.origins)))
  },
  { name: 'authentication', dependencies: ['@fastify/cookie'] },
)

/** A hook (best as `onRequest`, so that a 401 comes before any 400): a good token is needed. Its account may be gone. */
export async function requireToken(request: FastifyRequest): Promise<void> {
  request.identity = await identify(request)
  if (!request.identity) throw new Problem('unauthenticated')
}

/** A hook: a good token of a living account is needed. */
export async function requireUser(request: FastifyRequest): Promise<void> {
  await optionalUser(request)
  if (!request.identity) throw new Problem('unauthenticated')
}

/** A hook: as `requireUser`, and the user must be an admin. */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  await requireUser(request)
  if (request.identity?.role !== 'admin') throw new Problem('forbidden')
}

/** A hook: whoever has no good token of a living account is anonymous. */
export async function optionalUser(request: FastifyRequest): Promise<void> {
  const { isLive } = request.server.authentication
  const identity = await identify(request)
  request.identity = identity && (!isLive || (await isLive(identity))) ? identity : undefined
}

/** The caller, in a route with `requireUser`, `requireAdmin` or `requireToken`. */
export function userOf({ identity }: FastifyRequest): Identity {
  if (!identity) throw new Problem('unauthenticated')
  return identity
}

const ACCESS = 'pando_access'
const REFRESH = 'pando_refresh'

/** The refresh token of the request's cookie, under the same rules as the access token's. */
export function refreshTokenOf(request: FastifyRequest): string | undefined {
  return cookieOf(request, REFRESH)
}

export interface SessionTokens {
  accessToken: string
  /** In seconds, as are all ages of cookies. */
  accessMaxAge: number
  refreshToken: string
  refreshMaxAge: number
}

/** Gives the browser its session. Script cannot read the cookies, other sites cannot send them with unsafe requests. */
export function setSessionCookies(reply: FastifyReply, tokens: SessionTokens): void {
  reply.setCookie(ACCESS, tokens.accessToken, { ...attributes(reply, '/'), maxAge: tokens.accessMaxAge })
  reply.setCookie(REFRESH, tokens.refreshToken, { ...attributes(reply, '/api/sessions'), maxAge: tokens.refreshMaxAge })
}

/** Makes the browser forget its session. */
export function clearSessionCookies(reply: FastifyReply): void {
  reply.clearCookie(ACCESS, attributes(reply, '/'))
  reply.clearCookie(REFRESH, attributes(reply, '/api/sessions'))
}

function attributes({ server }: FastifyReply, path: string) {
  return { path, httpOnly: true, sameSite: 'lax', secure: server.authentication.origins.secure } as const
}

/** The access token that a request came with, good or not. */
export function accessTokenOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  return authorization === undefined ? cookieOf(request, ACCESS) : /^Bearer +(\S+)$/i.exec(authorization)?.[1]
}

async function identify(request: FastifyRequest): Promise<Identity | undefined> {
  const token = accessTokenOf(request)
  return token ? request.server.authentication.verifier.verify(token) : undefined
}

/** Whether the method may change something (RFC 9110 §9.2.1). */
export function isUnsafe(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}

function refuseForeign({ headers, cookies, method, host }: FastifyRequest, origins: OriginPolicy): Problem | undefined {
  if (headers.origin === undefined || headers.authorization !== undefined || origins.allows(headers.origin, host))
    return undefined
  return isUnsafe(method) || ACCESS in cookies || REFRESH in cookies ? new Problem('origin_refused') : undefined
}

// Only here a cookie becomes a credential. An Origin, if any, is a good one by now; without one the browser itself must say that the
// page is ours.
function cookieOf({ headers, cookies, method }: FastifyRequest, name: string): string | undefined {
  const value = headers.authorization === undefined ? cookies[name] : undefined
  if (value && isUnsafe(method) && headers.origin === undefined && headers['sec-fetch-site'] !== 'same-origin')
    throw new Problem('origin_refused', {
      detail: 'A cookie is only accepted from our own pages: there is neither an Origin nor Sec-Fetch-Site.',
    })
  return value
}
