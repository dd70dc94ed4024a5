import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify } from 'jose'
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from 'jose'
import { Problem } from './problem.ts'

/** Who a request speaks for, as its access token says. */
export interface Identity {
  userId: string
  role: 'user' | 'admin'
  sessionId: string
  expiresAt: Date
}

export interface Verifier {
  /**
   * The identity of a good access token, undefined for any other text.
   * @throws {Problem} unavailable when the keys cannot be had, so that nobody can tell
   */
  readonly verify: (token: string) => Promise<Identity | undefined>
}

/** Issuer and audience of access tokens. */
export const tokenParty = 'pando'

const TOLERANCE_S = 5
const KNOWN_AT_MOST = 10_000
const REFRESH_KEYS_MS = 600_000

export interface VerifierOptions {
  /** The public keys: the set, a function that returns the current set, or the address that serves it (`…/api/.well-known/jwks.json`). */
  keys: JSONWebKeySet | (() => JSONWebKeySet) | URL
  /** For tests. */
  now?: () => number
}

/** Verifies access tokens: EdDSA only, issuer, audience and time checked, every claim there. */
export function createVerifier({ keys, now = Date.now }: VerifierOptions): Verifier {
  const getKey = keyGetter(keys, now)
  // What was verified once stays so until it ends: a look-up costs a hundredth of a signature.
  const known = new Map<string, Identity>()
  return {
    async verify(token) {
      const before = known.get(token)
      if (before && before.expiresAt.getTime() + TOLERANCE_S * 1000 > now()) return before
      known.delete(token)
      const payload = await payloadOf(token, getKey, new Date(now()))
      const identity = payload && identityOf(payload)
      if (!identity) return undefined
      const [oldest] = known.keys()
      if (oldest !== undefined && known.size >= KNOWN_AT_MOST) known.delete(oldest)
      known.set(token, identity)
      return identity
    },
  }
}

function keyGetter(keys: VerifierOptions['keys'], now: () => number): JWTVerifyGetKey {
  if (keys instanceof URL) return remoteKeys(keys, now)
  const current = typeof keys === 'function' ? keys : () => keys
  let set: JSONWebKeySet | undefined
  let getKey: JWTVerifyGetKey
  return (header, token) => {
    const latest = current()
    if (latest !== set) getKey = createLocalJWKSet((set = latest))
    return getKey(header, token)
  }
}

// Keys that were fetched once keep working while the user service is away, so jose's own expiry is off: they are fetched anew beside
// the requests, and at once for an unknown `kid`.
function remoteKeys(url: URL, now: () => number): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { cacheMaxAge: Infinity, cooldownDuration: 5_000, timeoutDuration: 3_000 })
  let fetchedAt = -Infinity
  return (header, token) => {
    if (now() - fetchedAt > REFRESH_KEYS_MS) {
      fetchedAt = now()
      if (remote.jwks()) remote.reload().catch(() => {})
    }
    return remote(header, token)
  }
}

// What is wrong with the token. Anything else is trouble with the keys and says nothing about it.
const faults = new Set([
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
])

async function payloadOf(token: string, getKey: JWTVerifyGetKey, currentDate: Date): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, getKey, {
      algorithms: ['EdDSA'],
      issuer: tokenParty,
      audience: tokenParty,
      clockTolerance: TOLERANCE_S,
      requiredClaims: ['sub', 'sid', 'role', 'iat', 'exp'],
      currentDate,
    })
    return payload
  } catch (cause) {
    if (cause instanceof errors.JOSEError && faults.has(cause.code)) return undefined
    throw new Problem('unavailable', { detail: 'The keys that verify access tokens are not available.', cause })
  }
}

function identityOf({ sub, sid, role, exp }: JWTPayload): Identity | undefined {
  if (typeof sub !== 'string' || typeof sid !== 'string' || typeof exp !== 'number') return undefined
  if (role !== 'user' && role !== 'admin') return undefined
  return { userId: sub, sessionId: sid, role, expiresAt: new Date(exp * 1000) }
}
