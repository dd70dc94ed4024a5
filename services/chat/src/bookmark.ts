import { decodeCursor, encodeCursor, isUuid } from '@pando/service'

/** Where a list that is newest first goes on: behind what is of this time (milliseconds since the epoch) and has this id. */
export interface Bookmark {
  at: number
  id: string
}

// The last year that PostgreSQL and JavaScript write alike.
const YEAR_9999 = Date.UTC(9999, 0)

/** @throws {Problem} validation_failed for a cursor that `cursorOf` has not made */
export function bookmarkOf(cursor: string | undefined): Bookmark | undefined {
  if (cursor === undefined) return undefined
  const [at, id] = decodeCursor(cursor, isPair)
  return { at, id }
}

/** The cursor of the page behind it. */
export function cursorOf({ at, id }: Bookmark): string {
  return encodeCursor([at, id])
}

/** As values of a query; nulls for the beginning. */
export function bookmarkValues(bookmark: Bookmark | undefined): [Date | null, string | null] {
  return bookmark ? [new Date(bookmark.at), bookmark.id] : [null, null]
}

function isPair(value: unknown): value is [number, string] {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [at, id] = value as [unknown, unknown]
  return Number.isInteger(at) && Number(at) >= 0 && Number(at) < YEAR_9999 && typeof id === 'string' && isUuid(id)
}
