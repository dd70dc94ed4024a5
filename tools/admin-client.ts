// What speaks to a running Pando as an admin, over HTTP.

const TIMEOUT_MS = 30_000
const PAGE = 100

/** What the operator is told instead of an answer: one sentence. */
export class Refusal extends Error {}

export type Credentials = { token: string } | { username: string; password: string }

export interface AdminClient {
  get<T>(path: string): Promise<T>
  post(path: string, body?: object): Promise<void>
  /** Items of a list, at most `most` of them, over as many pages as that takes; `more`: whether there are others behind them. */
  list<T>(path: string, query: Record<string, string>, most: number): Promise<{ items: T[]; more: boolean }>
  /** Logs out, if it had to log in. */
  close(): Promise<void>
}

/** Logs in at `url` unless there is a token. All throw a Refusal for whatever goes wrong. */
export async function createAdminClient(url: string, credentials: Credentials): Promise<AdminClient> {
  async function ask(method: string, path: string, token?: string, body?: object): Promise<unknown> {
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw new Refusal(`Pando does not answer at ${url}.`, { cause })
    })
    const text = await response.text()
    const answer = parse(text)
    if (response.ok && (text === '' || answer !== undefined)) return answer
    throw new Refusal(sentence(response.status, answer) ?? `What answers at ${url} is no Pando (${response.status}).`)
  }

  const login = 'token' in credentials ? undefined : await ask('POST', '/api/sessions', undefined, credentials)
  const token = 'token' in credentials ? credentials.token : (login as { accessToken: string }).accessToken
  const get = async <T>(path: string): Promise<T> => (await ask('GET', path, token)) as T

  return {
    get,
    async post(path, body) {
      await ask('POST', path, token, body)
    },
    async list<T>(path: string, query: Record<string, string>, most: number) {
      const items: T[] = []
      let next: string | null = null
      do {
        const limit = String(Math.min(PAGE, most - items.length))
        const search = new URLSearchParams({ ...query, limit, ...(next !== null && { cursor: next }) })
        const page: { items: T[]; next: string | null } = await get(`${path}?${search.toString()}`)
        items.push(...page.items)
        next = page.next
      } while (next !== null && items.length < most)
      return { items, more: next !== null }
    },
    async close() {
      // A session that is left behind ends by itself.
      if (login) await ask('DELETE', '/api/sessions', token).catch(() => {})
    },
  }
}

/** An answer's body; undefined when it is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a problem says, if the answer is one. */
export function sentence(status: number, answer: unknown): string | undefined {
  const {
    title,
    detail,
    errors = [],
  } = (answer ?? {}) as {
    title?: string
    detail?: string
    errors?: { path: string; message: string }[]
  }
  if (title === undefined) return undefined
  const faults = errors.map(({ path, message }) => `${path} ${message}`).join('; ')
  return `${detail ?? title}${faults && ` (${faults})`} [${status}]`
}
