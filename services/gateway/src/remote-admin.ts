import { type AdminSource, encodeCursor, type Parked, Problem } from '@pando/service'

const TIMEOUT_MS = 5_000

/** The operator's side of a service elsewhere, asked over HTTP with the admin's own token. */
export function remoteAdmin(service: string, url: string, accessToken: string): AdminSource {
  /** The body as the service's own schema made it; undefined for 404. */
  async function ask<T>(method: string, path: string, body?: object): Promise<T | undefined> {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${accessToken}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw new Problem('unavailable', { detail: `The ${service} service does not answer.`, cause })
    })
    if (response.status === 404) return undefined
    if (response.status === 401) throw new Problem('unauthenticated')
    if (response.status === 403) throw new Problem('forbidden')
    if (!response.ok)
      throw new Problem('unavailable', { detail: `The ${service} service answered ${response.status}.` })
    const text = await response.text()
    return (text === '' ? null : JSON.parse(text)) as T
  }
  async function need<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await ask<T>(method, path, body)
    if (answer === undefined) throw new Problem('not_found')
    return answer
  }
  type Page<T> = { items: T[]; next: string | null }
  type Sagas = Awaited<ReturnType<AdminSource['sagas']>>

  return {
    service,
    async sagas({ type, status, limit, after }) {
      const query = new URLSearchParams({
        limit: String(limit),
        ...(type && { type }),
        ...(status && { status }),
        ...(after && { cursor: encodeCursor(after) }),
      })
      const page = await need<Page<Sagas['items'][number]>>('GET', `/api/admin/sagas?${query.toString()}`)
      const last = page.items.at(-1)
      // Where to go on is worked out from the last item by whoever merges the pages; here it only says that there is more.
      return {
        items: page.items,
        next: page.next && last ? { urgent: false, startedAt: last.startedAt, id: last.id } : null,
      }
    },
    saga: (type, id) => ask('GET', `/api/admin/sagas/${encodeURIComponent(type)}/${encodeURIComponent(id)}`),
    async parked({ limit, after }) {
      const query = new URLSearchParams({ limit: String(limit), ...(after && { cursor: encodeCursor(after) }) })
      const { items, next } = await need<Page<Parked>>('GET', `/api/admin/parked?${query.toString()}`)
      return { items, more: next !== null }
    },
    redrive: (key) => need('POST', `/api/admin/parked/${service}/${encodeURIComponent(key)}/redrive`),
    discard: (key, reason) =>
      need('POST', `/api/admin/parked/${service}/${encodeURIComponent(key)}/discard`, { reason }),
    async lag() {
      const { items } = await need<Page<Awaited<ReturnType<AdminSource['lag']>>>>('GET', '/api/admin/lag')
      return items[0]!
    },
  }
}
