import { randomUUID } from 'node:crypto'
import type { Database } from '@pando/saga'

/** Makes members of the chat who have no account; resolves with their ids. */
export async function addMembers(db: Database, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID())
  await db.query(
    `insert into chat.member (user_id, made_by, username, display_name)
     select id, gen_random_uuid(), 'u.' || n, 'Person ' || n from unnest($1::uuid[]) with ordinality m(id, n)`,
    [ids],
  )
  return ids
}

/** Makes a room with these members in it; a direct one has two, and there can be one of a pair. */
export async function addRoom(
  db: Database,
  userIds: readonly string[],
  type: 'direct' | 'group' = 'group',
): Promise<string> {
  const id = randomUUID()
  const [low, high] = type === 'direct' ? userIds.toSorted() : []
  await db.query('insert into chat.room (id, type, name, low_id, high_id) values ($1, $2, $3, $4, $5)', [
    id,
    type,
    type === 'group' ? 'Room' : null,
    low ?? null,
    high ?? null,
  ])
  await db.query('insert into chat.room_member (room_id, user_id) select $1, unnest($2::uuid[])', [id, userIds])
  return id
}

/** Puts so many messages into a room, from these members by turns, over the last days; all members have read all but the last `unread`. */
export async function addMessages(
  db: Database,
  roomId: string,
  { senderIds, count, unread = 0 }: { senderIds: readonly string[]; count: number; unread?: number },
): Promise<void> {
  await db.query(
    `insert into chat.message (room_id, seq, sender_id, sender_name, kind, text, client_message_id, created_at)
     select r.id, r.last_seq + n, ($2::uuid[])[1 + n / 3 % cardinality($2::uuid[])], 'Person', 'text',
       'message ' || r.last_seq + n || repeat(' of many words', n * 7 % 17), gen_random_uuid(),
       now() - ($3::int - n) / 3 * interval '5 minutes'
     from chat.room r, generate_series(1, $3::int) n where r.id = $1`,
    [roomId, senderIds, count],
  )
  await db.query(
    `update chat.room_member m set last_read_seq = r.last_seq + $2::int - $3::int
     from chat.room r where r.id = m.room_id and r.id = $1`,
    [roomId, count, unread],
  )
  // What is kept of a room is kept by its version.
  await db.query('update chat.room set last_seq = last_seq + $2, version = version + 1 where id = $1', [roomId, count])
}

/** The last seq of the room, and how far each member has read. */
export async function readStateOf(
  db: Database,
  roomId: string,
): Promise<{ lastSeq: number; reads: Map<string, number> }> {
  const [room] = await db.query<{ lastSeq: number }>('select last_seq as "lastSeq" from chat.room where id = $1', [
    roomId,
  ])
  const rows = await db.query<{ userId: string; seq: number }>(
    'select user_id as "userId", last_read_seq as seq from chat.room_member where room_id = $1',
    [roomId],
  )
  return { lastSeq: room!.lastSeq, reads: new Map(rows.map(({ userId, seq }) => [userId, seq])) }
}
