import type { UserView } from '@pando/events/views'
import type { Queryable, Tx } from '@pando/saga'
import { type Batched, type Changes, createBatcher, createHoldingTable, Problem } from '@pando/service'

/** What others show of a member. */
interface Profile {
  userId: string
  username: string
  displayName: string
}

/** What a query selects from chat.member, called m, to get a UserView. */
export const USER_COLUMNS =
  'm.user_id as id, m.username, m.display_name as "displayName", m.status_message as "statusMessage"'

/** Tells whether a user has a place in the chat, be it a suspended one. What is asked at the same time is asked together. */
export function createMembership(db: Queryable): Batched<string, boolean> {
  return createBatcher(async (userIds) => {
    const rows = await db.query<{ id: string }>(
      'select user_id as id from chat.member where user_id = any($1::uuid[])',
      [[...new Set(userIds)]],
    )
    const found = new Set(rows.map(({ id }) => id))
    return userIds.map((userId) => found.has(userId))
  })
}

/**
 * The members of these ids, locked until the end of the transaction: nobody of them is renamed, suspended or deleted meanwhile. So no row
 * that names them comes after the look for all such rows. In the order of ids; call it once, before any room is locked.
 */
export async function shareMembers(
  tx: Tx,
  userIds: readonly string[],
): Promise<Map<string, UserView & { isHeld: boolean }>> {
  const rows = await tx.query<UserView & { isHeld: boolean }>(
    `select ${USER_COLUMNS}, m.held_by is not null as "isHeld"
     from chat.member m where m.user_id = any($1::uuid[]) order by m.user_id for share`,
    [[...new Set(userIds)]],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** The one who asks. Throws unauthenticated when there is no such member any more, and forbidden when the account is being deleted. */
export function actorAmong<M extends { isHeld: boolean }>(members: ReadonlyMap<string, M>, userId: string): M {
  const actor = members.get(userId)
  if (!actor) throw new Problem('unauthenticated')
  if (actor.isHeld) throw new Problem('forbidden', { detail: 'Your account is being deleted: it can do nothing new.' })
  return actor
}

/** Members as the sagas of users see them. */
export const holdings = createHoldingTable({ table: 'chat.member', texts: ['username', 'display_name'] })

/** Writes what a batch led to; `profiles` of those who are made. */
export function saveMembers(tx: Tx, changes: Changes, profiles: ReadonlyMap<string, Profile>): void {
  holdings.save(tx, changes, (userId) => {
    const { username, displayName } = profiles.get(userId)!
    return [username, displayName]
  })
}

/** Shows members by their new names; each user once. Resolves with the ids of those who are members. */
export async function saveProfiles(
  tx: Tx,
  profiles: readonly (Profile & { statusMessage: string })[],
): Promise<string[]> {
  const userIds = profiles.map(({ userId }) => userId)
  // In the order in which others lock them.
  const rows = await tx.query<{ id: string }>(
    'select user_id as id from chat.member where user_id = any($1::uuid[]) order by user_id for no key update',
    [userIds],
  )
  tx.send(
    `update chat.member m set username = p.username, display_name = p.display_name, status_message = p.status_message
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) p(user_id, username, display_name, status_message)
     where m.user_id = p.user_id`,
    [
      userIds,
      profiles.map(({ username }) => username),
      profiles.map(({ displayName }) => displayName),
      profiles.map(({ statusMessage }) => statusMessage),
    ],
  )
  return rows.map(({ id }) => id)
}
