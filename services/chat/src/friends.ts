import { chatFriendAdded, chatFriendRemoved } from '@pando/events'
import { append, type Cause, type Database, type Queryable, retryOnConflict, transaction, type Tx } from '@pando/saga'
import { Problem } from '@pando/service'
import { assertNotBlocked } from './blocks.ts'
import { actorAmong, shareMembers } from './members.ts'
import { type Pair, peopleQuery } from './people.ts'

export const FRIENDS = peopleQuery('chat.friend', 'friend_id')

/**
 * Makes the two friends of each other; friends already, nothing. Throws not_found for somebody who is no member, and forbidden when the
 * other one has blocked the user, or the user's account is being deleted.
 */
export function addFriend(db: Database, { userId, otherId, traceparent }: Pair): Promise<void> {
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const members = await shareMembers(tx, [userId, otherId])
      const { displayName } = actorAmong(members, userId)
      if (!members.has(otherId)) throw new Problem('not_found')
      await assertNotBlocked(tx, { userId, otherId })
      // The lower id's row first: whoever else changes this friendship waits there.
      const added = await tx.query(
        `insert into chat.friend (user_id, friend_id)
         select least(a, b), greatest(a, b) from (values ($1::uuid, $2::uuid)) p(a, b)
         union all select greatest(a, b), least(a, b) from (values ($1::uuid, $2::uuid)) p(a, b)
         on conflict do nothing returning user_id`,
        [userId, otherId],
      )
      if (added.length > 0) append(tx, chatFriendAdded({ userId, friendId: otherId, displayName }), { traceparent })
    }),
  )
}

/** Ends the friendship of the two; none, nothing. Throws not_found for somebody who is no member. */
export async function removeFriend(db: Database, { userId, otherId, traceparent }: Pair): Promise<void> {
  await transaction(db, async (tx) => {
    if (await unfriend(tx, userId, [otherId], { traceparent })) return
    if ((await tx.query('select from chat.member where user_id = $1', [otherId])).length === 0)
      throw new Problem('not_found')
  })
}

/** Ends at most `limit` friendships of somebody who is gone; resolves with whether there were any. */
export async function forgetFriends(tx: Tx, userId: string, limit: number, cause: Cause): Promise<boolean> {
  const friends = await tx.query<{ id: string }>(
    'select friend_id as id from chat.friend where user_id = $1 order by friend_id limit $2',
    [userId, limit],
  )
  if (friends.length === 0) return false
  await unfriend(
    tx,
    userId,
    friends.map(({ id }) => id),
    cause,
  )
  return true
}

/** Which of these are friends of the user. */
export async function friendsAmong(db: Queryable, userId: string, otherIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    'select friend_id as id from chat.friend where user_id = $1 and friend_id = any($2::uuid[])',
    [userId, otherIds],
  )
  return new Set(rows.map(({ id }) => id))
}

async function unfriend(tx: Tx, userId: string, otherIds: readonly string[], cause: Cause): Promise<boolean> {
  // Locked in one order, which has the lower id's row of each friendship first.
  const removed = await tx.query<{ friendId: string }>(
    `delete from chat.friend f using (
       select user_id, friend_id from chat.friend
       where user_id = $1 and friend_id = any($2::uuid[]) or user_id = any($2::uuid[]) and friend_id = $1
       order by user_id, friend_id for update) locked
     where f.user_id = locked.user_id and f.friend_id = locked.friend_id
     returning nullif(f.friend_id, $1) as "friendId"`,
    [userId, otherIds],
  )
  for (const { friendId } of removed) if (friendId) append(tx, chatFriendRemoved({ userId, friendId }), cause)
  return removed.length > 0
}
