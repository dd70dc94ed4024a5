import type { FastifyRequest, preValidationHookHandler } from 'fastify'
import type { App } from './http.ts'
import { Problem } from './problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The JSON body as it came; kept only for requests with an Idempotency-Key, to recognise the same body. */
    rawBody: string | undefined
  }
}

const MEMBERS_AT_MOST = 1000

/**
 * What every route of `app` may rely on: bodies are JSON (anything else is 415) and bring no `__proto__`; neither they nor the address
 * hold U+0000, which PostgreSQL cannot store; no array has more than 1,000 items; integers of a query's schema arrive as numbers when
 * they look like one.
 */
export function acceptInput(app: App): void {
  app.decorateRequest('rawBody', undefined)
  app.removeContentTypeParser('text/plain')
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.headers['idempotency-key'] !== undefined) request.rawBody = body
    if (hasEscapedNul(body)) return done(new Problem('validation_failed', { detail: 'The body contains U+0000.' }))
    void parse(request, body, (error, value: unknown) => {
      if (error || body.length < 2 * MEMBERS_AT_MOST || !isCrowded(value)) done(error, value)
      else
        done(
          new Problem('validation_failed', {
            detail: `An array or object in the body has more than ${MEMBERS_AT_MOST} members.`,
          }),
        )
    })
  })
  app.addHook('onRequest', (request, _reply, done) => done(refuseNul(request)))
  app.addHook('onRoute', (route) => {
    const names = integersOf(route.schema?.querystring)
    if (names.length > 0) route.preValidation = [readIntegers(names), ...[route.preValidation ?? []].flat()]
  })
}

// An odd number of backslashes before u0000; `\\u0000` is just six characters. A bare NUL is no JSON anyway.
function hasEscapedNul(json: string): boolean {
  return json.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(json)
}

// The validator reports every fault: for half a million wrong items in one array, a second and 200 MB.
function isCrowded(value: unknown): boolean {
  const open = [value]
  // Not by recursion: JSON may be nested deeper than the stack.
  for (const parent of open) {
    if (typeof parent !== 'object' || parent === null) continue
    const members: unknown[] = Array.isArray(parent) ? parent : Object.values(parent)
    if (members.length > MEMBERS_AT_MOST) return true
    for (const member of members) if (typeof member === 'object') open.push(member)
  }
  return false
}

function refuseNul({ url }: FastifyRequest): Problem | undefined {
  const at = url.indexOf('%00')
  if (at < 0) return undefined
  const query = url.indexOf('?')
  return query >= 0 && at > query
    ? new Problem('validation_failed', { detail: 'The query contains U+0000.' })
    : new Problem('not_found')
}

function integersOf(querystring: unknown): string[] {
  const { properties = {} } = (querystring ?? {}) as { properties?: Record<string, { type?: unknown }> }
  return Object.keys(properties).filter((name) => properties[name]?.type === 'integer')
}

// Not left to the validator's coercion, which also takes `1e1`, ` 1` and `0x1` for numbers.
function readIntegers(names: string[]): preValidationHookHandler {
  return (request, _reply, done) => {
    const query = request.query as Record<string, unknown>
    for (const name of names) {
      const text = query[name]
      if (typeof text === 'string' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text)
    }
    done()
  }
}
