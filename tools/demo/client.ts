// Speaks to a running Pando as anybody, one request after the other, and waits when it is told to.
import { setTimeout as pause } from 'node:timers/promises'
import { parse, Refusal, sentence } from '../admin-client.ts'

// More than a sign-up may take.
const TIMEOUT_MS = 60_000
// Longer ones are no matter of waiting: a day's quota is used up.
const WAIT_AT_MOST_SECONDS = 120
const WAITS_AT_MOST = 20

export interface Asking {
  token?: string
  /** JSON, or a file. */
  body?: object | FormData
  /** Codes of problems that are answers too. */
  allow?: readonly string[]
  /** The answer is a stream of events, to be read to its end. */
  stream?: boolean
}

export interface Answer<T> {
  status: number
  body: T
  text: string
  /** Of a problem that was expected. */
  code?: string
}

/** Throws a Refusal that names what was asked and the answer, for every one that was not expected. */
export type Ask = <T>(method: string, path: string, asking?: Asking) => Promise<Answer<T>>

export interface Waiting {
  /** Told before each wait. */
  onWait(seconds: number): void
  wait?(ms: number): Promise<unknown>
}

/** Waits for as long as a 429 or 503 says in `Retry-After`, then asks again; both have changed nothing. */
export function createClient(url: string, { onWait, wait = pause }: Waiting): Ask {
  return async <T>(method: string, path: string, asking: Asking = {}): Promise<Answer<T>> => {
    for (let waits = 0; ; waits++) {
      const response = await send(url, method, path, asking)
      const text = await response.text()
      const body = parse(text) as (T & { code?: string }) | undefined
      if (response.ok) return { status: response.status, body: body as T, text }
      const code = body?.code
      if (code !== undefined && asking.allow?.includes(code))
        return { status: response.status, body: body as T, text, code }
      const seconds = Number(response.headers.get('retry-after') ?? NaN)
      if (!(seconds <= WAIT_AT_MOST_SECONDS) || waits === WAITS_AT_MOST)
        throw new Refusal(
          `${method} ${path}: ${sentence(response.status, body) ?? `what answers at ${url} is no Pando (${response.status}).`}`,
        )
      onWait(seconds)
      await wait(seconds * 1000)
    }
  }
}

async function send(url: string, method: string, path: string, { token, body, stream }: Asking): Promise<Response> {
  const isForm = body instanceof FormData
  try {
    return await fetch(new URL(path, url), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && !isForm && { 'content-type': 'application/json' }),
        ...(stream && { accept: 'text/event-stream' }),
      },
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch (cause) {
    throw new Refusal(`${method} ${path}: Pando does not answer at ${url}.`, { cause })
  }
}

/** All items of a list. */
export async function listAll<T>(ask: Ask, path: string, token: string): Promise<T[]> {
  const items: T[] = []
  for (let cursor = ''; ;) {
    const { body } = await ask<{ items: T[]; next: string | null }>(
      'GET',
      `${path}${path.includes('?') ? '&' : '?'}limit=100${cursor}`,
      { token },
    )
    items.push(...body.items)
    if (body.next === null) return items
    cursor = `&cursor=${encodeURIComponent(body.next)}`
  }
}
