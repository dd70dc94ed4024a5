import assert from 'node:assert/strict'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { createSseReader, type ServerEvent } from './sse.ts'

const PATIENCE_MS = 20_000
const agent = new Agent({ keepAlive: true })

export interface Answer<Body> {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** What the JSON says; undefined when there is none. */
  body: Body
}

export interface Asking {
  /** An object goes as JSON; a text as it is, with the content-type of `headers`. */
  body?: object | string | undefined
  headers?: Record<string, string>
}

export interface ClientOptions {
  token?: string | undefined
  /** Sends and keeps cookies, as a browser does. */
  cookies?: Cookies
  /** Sent with every request. */
  headers?: Record<string, string>
}

type Json = Record<string, unknown>

/** A client of Pando at `url`. All reject when there is no answer in 20 s. */
export class Client {
  readonly url: string
  readonly #options: ClientOptions

  constructor(url: string, options: ClientOptions = {}) {
    this.url = url
    this.#options = options
  }

  async request<Body = Json>(method: string, path: string, asking: Asking = {}): Promise<Answer<Body>> {
    const response = await this.#send(method, path, asking, agent)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    const isJson = /\bjson\b/.test(response.headers['content-type'] ?? '')
    return {
      status: response.statusCode!,
      headers: response.headers,
      text,
      body: (isJson && text !== '' ? JSON.parse(text) : undefined) as Body,
    }
  }

  get<Body = Json>(path: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.request('GET', path, { headers })
  }
  post<Body = Json>(path: string, body?: object | string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.request('POST', path, { body, headers })
  }
  put<Body = Json>(path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.request('PUT', path, { body, headers })
  }
  patch<Body = Json>(path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.request('PATCH', path, { body, headers })
  }
  delete<Body = Json>(path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.request('DELETE', path, { body, headers })
  }

  /** Resolves with the head of the answer, be it a stream or not. */
  async stream(
    path: string,
    { method = 'GET', headers = {}, body }: Asking & { method?: string } = {},
  ): Promise<EventStream> {
    // A connection of its own: a stream that is cut off must not take another request with it.
    return new EventStream(
      await this.#send(method, path, { body, headers: { accept: 'text/event-stream', ...headers } }, false),
    )
  }

  #send(method: string, path: string, { body, headers }: Asking, through: Agent | false): Promise<IncomingMessage> {
    const { token, cookies, headers: always } = this.#options
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const cookie = cookies?.for(path)
    const isChunked = 'transfer-encoding' in (headers ?? {})
    const all = {
      ...(payload !== undefined && { 'content-type': 'application/json' }),
      ...(payload !== undefined && !isChunked && { 'content-length': String(Buffer.byteLength(payload)) }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(cookie && { cookie }),
      ...always,
      ...headers,
    }
    return new Promise((resolve, reject) => {
      const request = httpRequest(new URL(path, this.url), { method, headers: all, agent: through })
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer to ${method} ${path} in ${PATIENCE_MS} ms`)),
        PATIENCE_MS,
      )
      request.on('error', reject)
      request.on('close', () => clearTimeout(timer))
      request.on('response', (response) => {
        clearTimeout(timer)
        cookies?.keep(response.headers['set-cookie'] ?? [])
        resolve(response)
      })
      request.end(payload)
    })
  }
}

/** The cookies of a browser, each with the path it goes to. */
export class Cookies {
  readonly #kept = new Map<string, { value: string; path: string }>()

  keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(/; */)
      const [name = '', value = ''] = pair.split('=')
      const attribute = (key: string): string | undefined =>
        attributes.find((text) => text.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1)
      if (value === '' || attribute('max-age') === '0') this.#kept.delete(name)
      else this.#kept.set(name, { value, path: attribute('path') ?? '/' })
    }
  }

  /** The Cookie header of a request to this path; empty for none. */
  for(path: string): string {
    const goes = ([, kept]: [string, { path: string }]): boolean =>
      kept.path === '/' || path === kept.path || path.startsWith(`${kept.path}/`)
    return [...this.#kept]
      .filter(goes)
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }

  get(name: string): string | undefined {
    return this.#kept.get(name)?.value
  }

  /** Puts a cookie back, as a thief would; its path is the one it had. */
  set(name: string, value: string): void {
    this.#kept.set(name, { value, path: this.#kept.get(name)?.path ?? '/' })
  }
}

/** An answer that may be a stream of events. */
export class EventStream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** So far. */
  readonly events: ServerEvent[] = []
  readonly comments: string[] = []
  readonly #response: IncomingMessage
  readonly #watching = new Set<() => void>()
  retry: number | undefined
  /** All that came. */
  text = ''
  hasEnded = false
  /** When the last piece came, by performance.now(). */
  lastAt = 0

  constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode!
    this.headers = response.headers
    const decoder = new StringDecoder('utf8')
    const read = createSseReader({
      onEvent: (event) => this.events.push(event),
      onComment: (text) => this.comments.push(text),
      onRetry: (ms) => (this.retry = ms),
    })
    const changed = (): void => this.#watching.forEach((look) => look())
    response.on('data', (chunk: Buffer) => {
      const text = decoder.write(chunk)
      this.text += text
      this.lastAt = performance.now()
      if (this.headers['content-type']?.startsWith('text/event-stream')) read(text)
      changed()
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.hasEnded = true
      changed()
    })
  }

  /** Resolves when `ask` is true, looked at with whatever comes. Rejects, naming `what`, when that takes longer than `ms`. */
  until(what: string, ask: (stream: this) => boolean, ms = PATIENCE_MS): Promise<this> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!ask(this)) return
        stop()
        resolve(this)
      }
      const timer = setTimeout(() => {
        stop()
        reject(
          new Error(
            `${ms} ms went by without: ${what}; so far ${JSON.stringify(this.text)}${this.hasEnded ? ' and the end' : ''}`,
          ),
        )
      }, ms)
      const stop = (): void => {
        clearTimeout(timer)
        this.#watching.delete(look)
      }
      this.#watching.add(look)
      look()
    })
  }

  /** Whether the server ended it; false while it is open, and when the connection broke. */
  get isWhole(): boolean {
    return this.#response.complete
  }

  /** Resolves with all events when the server has ended the stream. */
  async ended(ms?: number): Promise<ServerEvent[]> {
    return (await this.until('the end of the stream', ({ hasEnded }) => hasEnded, ms)).events
  }

  close(): void {
    this.#response.destroy()
  }
}

/** Asserts that an answer is this problem, whole, and returns its body. */
export function assertProblem(
  answer: { status: number; headers: IncomingHttpHeaders; text: string },
  status: number,
  code: string,
): Json {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/)
  const body = JSON.parse(answer.text) as Json
  assert.deepEqual([body.code, body.status], [code, status])
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof body[member], 'string', member)
  return body
}
