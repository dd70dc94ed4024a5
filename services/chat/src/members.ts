import type { Queryable, Tx } from '@pando/saga'
import type { Changes, Holdings } from '@pando/service'

/** What others show of a member. */
export interface Profile {
  userId: string
  username: string
  displayName: string
}

/** Whether the user has a place in the chat, be it a suspended one. */
export async function isMember(db: Queryable, userId: string): Promise<boolean> {
  return (await db.query('select from chat.member where user_id = $1', [userId])).length > 0
}

/** Loads and locks the members of these ids, and the tombstones of these sagas. */
export async function loadMembers(tx: Tx, userIds: readonly string[], sagaIds: readonly string[]): Promise<Holdings> {
  const [rows, tombstones] = await Promise.all([
    tx.query<{ user_id: string; made_by: string; held_by: string | null }>(
      'select user_id, made_by, held_by from chat.member where user_id = any($1::uuid[]) order by user_id for update',
      [userIds],
    ),
    tx.query<{ saga_id: string }>('select saga_id from chat.tombstone where saga_id = any($1::uuid[])', [sagaIds]),
  ])
  return {
    byUser: new Map(rows.map((row) => [row.user_id, { madeBy: row.made_by, heldBy: row.held_by }])),
    tombstones: new Set(tombstones.map((row) => row.saga_id)),
  }
}

/** Writes what a batch led to; `profiles` of those who are made. */
export function saveMembers(
  tx: Tx,
  { gone, made, held, buried }: Changes,
  profiles: ReadonlyMap<string, Profile>,
): void {
  if (gone.length > 0) tx.send('delete from chat.member where user_id = any($1::uuid[])', [gone])
  if (made.length > 0) {
    const added = made.map(({ userId }) => profiles.get(userId)!)
    tx.send(
      `insert into chat.member (user_id, made_by, username, display_name)
       select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])`,
      [
        made.map(({ userId }) => userId),
        made.map(({ madeBy }) => madeBy),
        added.map(({ username }) => username),
        added.map(({ displayName }) => displayName),
      ],
    )
  }
  if (held.length > 0)
    tx.send(
      'update chat.member m set held_by = h.held_by from unnest($1::uuid[], $2::uuid[]) h(user_id, held_by) where m.user_id = h.user_id',
      [held.map(({ userId }) => userId), held.map(({ heldBy }) => heldBy)],
    )
  if (buried.length > 0)
    tx.send('insert into chat.tombstone (saga_id) select unnest($1::uuid[]) on conflict do nothing', [buried])
}

/** Shows members by their new names; each user once. */
export function saveProfiles(tx: Tx, profiles: readonly (Profile & { statusMessage: string })[]): void {
  tx.send(
    `update chat.member m set username = p.username, display_name = p.display_name, status_message = p.status_message
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
