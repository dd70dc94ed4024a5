import { Problem } from './problem.ts'

/** Makes the opaque cursor of a list: `value` must survive JSON, and must be no secret. */
export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/**
 * Reads a cursor that `encodeCursor` made. It comes from a client, so `check` must say what the list can work with.
 * @throws {Problem} validation_failed when it is anything else
 */
export function decodeCursor<T>(text: string, check: (value: unknown) => value is T): T {
  const value = parse(text)
  if (value !== undefined && check(value)) return value
  throw new Problem('validation_failed', { errors: [{ path: '/cursor', message: 'is not a cursor of this list' }] })
}

function parse(text: string): unknown {
  try {
    const json = Buffer.from(text, 'base64url').toString('utf8')
    // PostgreSQL cannot take NUL in a text; a cursor of ours has none.
    return json.includes('\\u0000') ? undefined : JSON.parse(json)
  } catch {
    return undefined
  }
}
