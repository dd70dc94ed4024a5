// Requests to the API: JSON in, JSON out, every failure a Problem with a code that the page has words for.

/** Why a request failed: `code` of the contract, or 'network' when no answer came. */
class Problem extends Error {
  constructor({ status = 0, code = 'network', errors = [], requestId = '', retryAfter = 5 } = {}) {
    super(code)
    Object.assign(this, { status, code, errors, requestId, retryAfter })
  }
}

/** Answers `{ body, location }`; throws Problem. A session whose access token ran out is refreshed once. */
export async function api(method, path, body, { headers = {}, signal, isRetry = false } = {}) {
  const init = { method, signal, headers: { accept: 'application/json', ...headers } }
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers['content-type'] = 'application/json'
  }
  const response = await fetch(path, init).catch((cause) => {
    throw signal?.aborted ? cause : new Problem()
  })
  const answer = await response.json().catch(() => null)
  if (response.ok) return { body: answer, location: response.headers.get('location') }
  const problem = new Problem({
    status: response.status,
    code: answer?.code ?? 'other',
    errors: answer?.errors,
    requestId: response.headers.get('x-request-id') ?? '',
    retryAfter: Number(response.headers.get('retry-after')) || 5,
  })
  if (problem.code !== 'unauthenticated' || isRetry) throw problem
  await api('POST', '/api/sessions/refresh', undefined, { isRetry: true })
  return api(method, path, body, { headers, signal, isRetry: true })
}

/** A key that makes sending the same form twice harmless. (`crypto.randomUUID` is missing on plain http.) */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
