import { takeBegun } from './begun.ts'
import type { Endpoints, Image, Problem } from './contract.ts'
import { renewed } from './renewal.ts'

/** An answer that is no success, or none at all (`network`). */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  /** By JSON pointer. */
  readonly errors: readonly { path: string; message: string }[]
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(
    code: string,
    {
      status = 0,
      errors = [],
      requestId,
      retryAfterMs,
    }: {
      status?: number
      errors?: ApiError['errors']
      requestId?: string | undefined
      retryAfterMs?: number | undefined
    } = {},
  ) {
    super(`${code} (${status})`)
    this.code = code
    this.status = status
    this.errors = errors
    this.requestId = requestId
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may well succeed later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** Those that take and answer JSON, or nothing. */
type Endpoint = {
  [E in keyof Endpoints]: Endpoints[E] extends { bodyType: string } | { answerType: string } ? never : E
}[keyof Endpoints]
type Given<E extends Endpoint> = Pick<Endpoints[E], keyof Endpoints[E] & ('path' | 'query' | 'body')>
type Answer<E extends Endpoint> = Endpoints[E] extends { answer: infer A } ? A : undefined
interface Settings {
  signal?: AbortSignal
  /** Sent twice with the same key, it happens once. */
  idempotencyKey?: string
  /** Goes on when the page is closed. */
  keepalive?: boolean
}
type Options<E extends Endpoint> = Given<E> & Settings

/**
 * Asks the server, as the user whose cookies the browser has; an access token that has run out is renewed first.
 * Throws ApiError; when `signal` is aborted its reason.
 * @example await api('GET /api/posts/{id}', { path: { id } })
 */
export async function api<E extends Endpoint>(
  endpoint: E,
  ...[options]: Record<never, never> extends Given<E> ? [Options<E>?] : [Options<E>]
): Promise<Answer<E>> {
  const {
    path = {},
    query = {},
    body,
    signal,
    idempotencyKey,
    keepalive = false,
  } = (options ?? {}) as {
    path?: Record<string, string>
    query?: Record<string, string | number | undefined>
    body?: unknown
  } & Settings
  const [method = '', template = ''] = endpoint.split(' ')
  const address = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(name, String(value))
  const response = await request(`${address}${search.size > 0 ? `?${search}` : ''}`, {
    method,
    keepalive,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  return (
    response.status === 204 || response.headers.get('content-length') === '0'
      ? undefined
      : await response.json().catch(() => undefined)
  ) as Answer<E>
}

/** Uploads an image, telling how much of it has been sent, from 0 to 1. Throws ApiError. */
export async function uploadImage(
  file: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Image> {
  await renewed(false)
  return new Promise((resolve, reject) => {
    // fetch() cannot tell how much of a body has been sent.
    const sending = new XMLHttpRequest()
    const form = new FormData()
    form.set('file', file)
    sending.open('POST', '/api/images')
    sending.responseType = 'json'
    sending.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0))
    sending.addEventListener('error', () => reject(new ApiError('network')))
    sending.addEventListener('load', () => {
      if (sending.status === 201) return resolve(sending.response as Image)
      reject(problemOf(sending.status, sending.response, (name) => sending.getResponseHeader(name)))
    })
    signal.addEventListener('abort', () => sending.abort())
    sending.send(form)
  })
}

async function request(address: string, init: RequestInit): Promise<Response> {
  const isSession = address.startsWith('/api/sessions') && init.method === 'POST'
  if (!isSession) await renewed(false)
  let response = await answered(address, init)
  if (response.status === 401 && !isSession) {
    const renewal = await renewed(true)
    // Nobody is logged out because of that.
    if (renewal === 'unknown') throw new ApiError('unavailable')
    if (renewal === 'good') response = await answered(address, init)
  }
  if (response.ok) return response
  throw problemOf(response.status, await response.json().catch(() => undefined), (name) => response.headers.get(name))
}

async function answered(address: string, init: RequestInit): Promise<Response> {
  try {
    return await ((init.method === 'GET' && takeBegun(address)) || fetch(address, init))
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError('network')
  }
}

function problemOf(status: number, body: unknown, header: (name: string) => string | null): ApiError {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>
  const seconds = Number(header('retry-after') ?? undefined)
  return new ApiError(problem.code ?? 'internal', {
    status,
    errors: problem.errors ?? [],
    requestId: header('x-request-id') ?? undefined,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  })
}
