import { isTransient } from '@pando/saga'

/** The error codes that clients may rely on, each with its status and title. */
export const problemTable = {
  validation_failed: { status: 400, title: 'The request is not valid' },
  malformed_json: { status: 400, title: 'The body is not JSON' },
  unauthenticated: { status: 401, title: 'This needs a log-in' },
  invalid_credentials: { status: 401, title: 'Unknown username or wrong password' },
  forbidden: { status: 403, title: 'This is not allowed' },
  origin_refused: { status: 403, title: 'Requests from this origin are refused' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This path does not have that method' },
  conflict: { status: 409, title: 'The current state does not allow this' },
  username_taken: { status: 409, title: 'The username is taken' },
  email_taken: { status: 409, title: 'The e-mail address is taken' },
  idempotency_mismatch: { status: 409, title: 'The Idempotency-Key was used with another request' },
  post_not_open: { status: 409, title: 'The post is not open' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong' },
  unavailable: { status: 503, title: 'Not available right now' },
} as const

export type ProblemCode = keyof typeof problemTable
export const problemCodes = Object.keys(problemTable) as ProblemCode[]

/** What is wrong with one member of the input; `path` is a JSON pointer, `message` never repeats the value. */
export interface Fault {
  path: string
  message: string
}

export interface ProblemOptions {
  /** A sentence about this occurrence, for people. */
  detail?: string
  errors?: Fault[]
  headers?: Record<string, string>
  /** For the log; never sent. */
  cause?: unknown
}

// RFC 9110 asks for a challenge with every 401; a client that is told to wait must be told how long.
const standardHeaders: Partial<Record<ProblemCode, Record<string, string>>> = {
  unauthenticated: { 'www-authenticate': 'Bearer' },
  invalid_credentials: { 'www-authenticate': 'Bearer' },
  rate_limited: { 'retry-after': '1' },
  unavailable: { 'retry-after': '1' },
}

/**
 * The answer to a request that failed: thrown anywhere, sent as problem+json.
 * @example throw new Problem('conflict', { detail: 'A sold post stays sold.' })
 */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly errors: Fault[] | undefined
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, { detail, errors, headers, cause }: ProblemOptions = {}) {
    const { status, title } = problemTable[code]
    super(detail ?? title, { cause })
    this.name = 'Problem'
    this.code = code
    this.status = status
    this.title = title
    this.detail = detail ?? `${title}.`
    this.errors = errors
    this.headers = { ...standardHeaders[code], ...headers }
  }
}

/** The body of RFC 9457. The type leads to the page that lists all codes; `requestId` only stands in a 500, to be found in the log. */
export function problemBody({ code, status, title, detail, errors }: Problem, requestId: string) {
  return {
    type: `/api/docs#problem-${code}`,
    title,
    status,
    detail,
    code,
    ...(errors && { errors }),
    ...(status === 500 && { requestId }),
  }
}

/** Makes the answer of whatever was thrown. Nothing of an unknown error shows in it: that one is the cause, for the log. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (isTransient(thrown)) return new Problem('unavailable', { cause: thrown })
  return (isOfFramework(thrown) && fromFramework(thrown)) || new Problem('internal', { cause: thrown })
}

// Only Fastify and its plugins are believed when they name a status: one that another library throws was meant for somebody else.
interface FrameworkError extends Error {
  code: `FST_${string}`
  statusCode?: number
  validation?: { keyword: string; instancePath: string; message?: string; params: Record<string, unknown> }[]
  validationContext?: string
}

function isOfFramework(thrown: unknown): thrown is FrameworkError {
  return (
    thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && thrown.code.startsWith('FST_')
  )
}

const byCode: Record<string, ProblemCode> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_json',
  // A path that cannot be decoded, or is longer than any id, names nothing.
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

const byStatus: Record<number, ProblemCode> = {
  400: 'validation_failed',
  404: 'not_found',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
}

function fromFramework(error: FrameworkError): Problem | undefined {
  // An id that is no UUID is simply not found.
  if (error.validation && error.validationContext === 'params') return new Problem('not_found', { cause: error })
  if (error.validation) return new Problem('validation_failed', { errors: faultsOf(error.validation) })
  const code = byCode[error.code] ?? byStatus[error.statusCode ?? 500]
  return code && new Problem(code, { cause: error })
}

const FAULTS_AT_MOST = 20

// The validator's messages name the rule and never the value, so that a password is not sent back.
function faultsOf(validation: NonNullable<FrameworkError['validation']>): Fault[] {
  return validation
    .slice(0, FAULTS_AT_MOST)
    .map(({ keyword, instancePath, message, params }) =>
      keyword === 'required'
        ? { path: `${instancePath}/${escapePointer(String(params['missingProperty']))}`, message: 'is required' }
        : { path: instancePath, message: message ?? 'is not valid' },
    )
}

// RFC 6901 §3
function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
