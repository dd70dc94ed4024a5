import { type Database, type Queryable, retryOnConflict, transaction, type Tx } from '@pando/saga'
import { Problem } from '@pando/service'
import { actorAmong, shareMembers } from './members.ts'
import { type Pair, peopleQuery } from './people.ts'

export const BLOCKS = peopleQuery('chat.block', 'blocked_id')

/** The user does not want to hear from the other one; blocked already, nothing. Throws not_found for somebody who is no member. */
export function block(db: Database, { userId, otherId }: Pair): Promise<void> {
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const members = await shareMembers(tx, [userId, otherId])
      actorAmong(members, userId)
      if (!members.has(otherId)) throw new Problem('not_found')
      tx.send('insert into chat.block (user_id, blocked_id) values ($1, $2) on conflict do nothing', [userId, otherId])
    }),
  )
}

/** Takes that back; not blocked, nothing. Throws not_found for somebody who is no member. */
export async function unblock(db: Database, { userId, otherId }: Pair): Promise<void> {
  const removed = await db.query('delete from chat.block where user_id = $1 and blocked_id = $2 returning 1', [
    userId,
    otherId,
  ])
  if (removed.length === 0 && (await db.query('select from chat.member where user_id = $1', [otherId])).length === 0)
    throw new Problem('not_found')
}

/** Which of these have blocked the user. */
export async function blockersAmong(db: Queryable, userId: string, otherIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    'select user_id as id from chat.block where blocked_id = $1 and user_id = any($2::uuid[])',
    [userId, otherIds],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Throws forbidden when the other one has blocked the user. */
export async function assertNotBlocked(db: Queryable, { userId, otherId }: Pair): Promise<void> {
  if ((await blockersAmong(db, userId, [otherId])).size > 0)
    throw new Problem('forbidden', { detail: 'This user has blocked you.' })
}

/** Removes at most `limit` blocks by or of somebody who is gone; resolves with whether there were any. */
export async function forgetBlocks(tx: Tx, userId: string, limit: number): Promise<boolean> {
  const removed = await tx.query(
    `delete from chat.block b using (
       (select user_id, blocked_id from chat.block where user_id = $1 limit $2)
       union (select user_id, blocked_id from chat.block where blocked_id = $1 limit $2)) gone
     where b.user_id = gone.user_id and b.blocked_id = gone.blocked_id returning 1`,
    [userId, limit],
  )
  return removed.length > 0
}
