import type { Connect, ConnectionHandlers, ConnectionTarget, Refusal } from './connection.ts'
import { createParser } from './parser.ts'

/** A connection by `fetch`: with the token, if there is one, as a header; else with the cookies of the page's own site. */
export const byFetch: Connect = (target, on) => {
  const abort = new AbortController()
  read(target, on, abort.signal).then(on.end, (error: unknown) => on.end({ error }))
  return () => abort.abort()
}

async function read(
  { url, lastEventId, token }: ConnectionTarget,
  on: ConnectionHandlers,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const headers: Record<string, string> = { accept: 'text/event-stream' }
  if (lastEventId !== undefined) headers['last-event-id'] = lastEventId
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  const response = await fetch(url, { headers, signal, cache: 'no-store' })
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  if (response.status !== 200 || !isStream || !response.body) {
    response.body?.cancel().catch(() => {})
    return refusalOf(response)
  }
  on.open()
  const parse = createParser(on)
  const reader = response.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return undefined
    on.alive()
    parse(value)
  }
}

/** What an answer that is no stream says. */
export function refusalOf({ status, headers }: Response): Refusal {
  const seconds = Number(headers.get('retry-after') ?? NaN)
  return { status, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined }
}
