import type { Server } from 'node:http'

/** Which origins a browser may send our cookies from. */
export interface OriginPolicy {
  /** `origin` is the Origin header, `host` the one that the request was sent to. */
  allows(origin: string, host: string): boolean
  /** The public origin is https, so cookies are Secure. */
  readonly secure: boolean
}

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]'])
const LOOPBACK_ADDRESS = /^(127\.|::1$|::ffff:127\.)/

/**
 * Allows the `configured` origins (PUBLIC_ORIGIN), or, without any, the server's own. Its own are found when they are asked for, as
 * the port may be 0 until it listens: on loopback every name of loopback with its port; else the host that the request was sent to,
 * which a page from elsewhere cannot choose without losing our cookies.
 */
export function originPolicy(server: Server, configured: readonly string[] = []): OriginPolicy {
  return {
    allows: (origin, host) => (configured.length > 0 ? configured.includes(origin) : isOwn(server, origin, host)),
    secure: configured.some((origin) => origin.startsWith('https:')),
  }
}

function isOwn(server: Server, origin: string, host: string): boolean {
  const address = server.address()
  const url = URL.parse(origin)
  if (!address || typeof address === 'string' || url?.origin !== origin || url.protocol !== 'http:') return false
  if (LOOPBACK_NAMES.has(url.hostname)) return Number(url.port || 80) === address.port
  return !LOOPBACK_ADDRESS.test(address.address) && url.host === host
}
