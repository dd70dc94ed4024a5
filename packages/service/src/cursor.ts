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

/**
 * A page of a list that is at hand as a whole, in the order of `keyOf`: a text that no two of its items share.
 * @throws {Problem} validation_failed for a cursor that is none
 */
export function pageOf<T>(
  items: readonly T[],
  { cursor, limit }: { cursor?: string; limit: number },
  keyOf: (item: T) => string,
): { items: T[]; next: string | null } {
  const after = cursor === undefined ? '' : decodeCursor(cursor, (value) => typeof value === 'string')
  const rest = items.filter((item) => keyOf(item) > after).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const page = rest.slice(0, limit)
  return { items: page, next: rest.length > limit ? encodeCursor(keyOf(page.at(-1)!)) : null }
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
