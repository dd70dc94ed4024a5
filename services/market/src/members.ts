import type { Database, Queryable, Tx } from '@pando/saga'
import { type Changes, createHoldingTable, patiently, Problem } from '@pando/service'

/** What others show of a user. */
export interface Profile {
  userId: string
  username: string
  displayName: string
  statusMessage: string
}

const PATIENCE_MS = 3_000

/** Whether the user is known to have left. Somebody whose sign-up has just ended may not have been heard of yet. */
export async function hasLeft(db: Queryable, userId: string): Promise<boolean> {
  return (await db.query('select from market.departed where user_id = $1', [userId])).length > 0
}

/**
 * Resolves when the user is known here. The market has no step in the sign-up, so somebody who has just signed up may come before the
 * event that tells of them: for that there is a moment's patience, without a connection. Throws unavailable when it is over.
 */
export async function awaitMember(db: Database, userId: string, patienceMs = PATIENCE_MS): Promise<void> {
  const found = await patiently(
    patienceMs,
    () => db.query('select from market.member where user_id = $1', [userId]),
    (rows) => rows.length > 0,
  )
  if (found.length === 0)
    throw new Problem('unavailable', { detail: 'The market has not heard of this account yet; try again in a moment.' })
}

/** Members as the sagas of users see them. */
export const holdings = createHoldingTable({ table: 'market.member', texts: ['username', 'display_name'] })

/** Writes what a batch led to; `profiles` of those who are made. Whoever goes is known to have left for a while. */
export function saveMembers(
  tx: Tx,
  changes: Changes,
  profiles: ReadonlyMap<string, Pick<Profile, 'username' | 'displayName'>>,
): void {
  const { gone } = changes
  if (gone.length > 0) {
    tx.send('insert into market.departed (user_id) select unnest($1::uuid[]) on conflict do nothing', [gone])
    tx.send('delete from market.keyword where user_id = any($1::uuid[])', [gone])
  }
  holdings.save(tx, changes, (userId) => {
    const { username, displayName } = profiles.get(userId)!
    return [username, displayName]
  })
}

/** Shows members by their new names; each user once. */
export function saveProfiles(tx: Tx, profiles: readonly Profile[]): void {
  tx.send(
    `update market.member m set username = p.username, display_name = p.display_name, status_message = p.status_message
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) p(user_id, username, display_name, status_message)
     where m.user_id = p.user_id`,
    [
      profiles.map(({ userId }) => userId),
      profiles.map(({ username }) => username),
      profiles.map(({ displayName }) => displayName),
      profiles.map(({ statusMessage }) => statusMessage),
    ],
  )
}

/**
 * Makes sure that somebody can put something up for sale, until the end of the transaction. Throws unauthenticated when they have left,
 * forbidden when they are leaving.
 */
export async function assertSeller(tx: Tx, userId: string): Promise<void> {
  const [member] = await tx.query<{ isHeld: boolean }>(
    'select held_by is not null as "isHeld" from market.member where user_id = $1 for share',
    [userId],
  )
  if (!member) throw new Problem('unauthenticated')
  if (member.isHeld) throw new Problem('forbidden', { detail: 'Your account is being deleted: it can do nothing new.' })
}

/** Forgets who has left: their tokens, good for 15 minutes at most, are not any more. */
export async function purgeDeparted(db: Queryable): Promise<void> {
  await db.query(`delete from market.departed where departed_at < now() - interval '1 day'`)
}
