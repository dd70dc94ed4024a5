import type { UserView } from '@pando/events/views'
import type { Queryable } from '@pando/saga'
import { type Bookmark, bookmarkValues, cursorOf } from './bookmark.ts'
import { USER_COLUMNS } from './members.ts'

/** Somebody, and whom they mean. */
export interface Pair {
  userId: string
  otherId: string
  traceparent?: string | undefined
}

/** A page of people, each with since when they are in the list. */
export interface PeoplePage {
  items: { user: UserView; since: string }[]
  next: string | null
}

/** The query of a list of people, newest first: of a table that has them in a column. */
export const peopleQuery = (table: string, column: string): string =>
  `select l.${column} as "listedId", l.since, ${USER_COLUMNS}
   from (select ${column}, since from ${table} where user_id = $1 and ($2::timestamptz is null or (since, ${column}) < ($2, $3::uuid))
         order by since desc, ${column} desc limit $4) l
   left join chat.member m on m.user_id = l.${column} order by l.since desc, l.${column} desc`

/** A page of somebody's list. Who has deleted their account, and is about to go from it, is not shown any more. */
export async function listPeople(
  db: Queryable,
  query: string,
  { userId, after, limit }: { userId: string; after: Bookmark | undefined; limit: number },
): Promise<PeoplePage> {
  // One more than asked for, which tells whether there is a next page.
  const rows = await db.query<Omit<UserView, 'id'> & { id: string | null; listedId: string; since: Date }>(query, [
    userId,
    ...bookmarkValues(after),
    limit + 1,
  ])
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    items: page.flatMap(({ id, username, displayName, statusMessage, since }) =>
      id === null ? [] : [{ user: { id, username, displayName, statusMessage }, since: since.toISOString() }],
    ),
    next: last ? cursorOf({ at: last.since.getTime(), id: last.listedId }) : null,
  }
}
