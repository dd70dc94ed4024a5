import type { Queryable, Tx } from '@pando/saga'

/** Who is in which room, as far as the chat's events have told: by room, the members' ids. */
export type Members = Map<string, Set<string>>

/** The members of these rooms; a room that is not known has none. */
export async function loadMembers(db: Queryable, roomIds: readonly string[]): Promise<Members> {
  const members: Members = new Map(roomIds.map((id) => [id, new Set()]))
  const rows = await db.query<{ roomId: string; userId: string }>(
    'select room_id as "roomId", user_id as "userId" from notification.room_member where room_id = any($1::uuid[])',
    [roomIds],
  )
  for (const { roomId, userId } of rows) members.get(roomId)!.add(userId)
  return members
}

/** Writes what has become of the members that were loaded `before`. */
export function saveMembers(tx: Tx, before: Members, after: Members): void {
  const pairs = (some: Members, but: Members): [string, string][] =>
    [...some].flatMap(([roomId, users]) =>
      [...users.difference(but.get(roomId)!)].map((userId): [string, string] => [roomId, userId]),
    )
  const gone = pairs(before, after)
  const come = pairs(after, before)
  if (gone.length > 0)
    tx.send(
      `delete from notification.room_member m using unnest($1::uuid[], $2::uuid[]) g(room_id, user_id)
       where m.room_id = g.room_id and m.user_id = g.user_id`,
      [gone.map(([roomId]) => roomId), gone.map(([, userId]) => userId)],
    )
  if (come.length > 0)
    tx.send(
      'insert into notification.room_member (room_id, user_id) select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing',
      [come.map(([roomId]) => roomId), come.map(([, userId]) => userId)],
    )
}
