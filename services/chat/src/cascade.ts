import { chatPostRoomsDeleted, chatRoomDeleted } from '@pando/events'
import { append, type Cause, type Tx } from '@pando/saga'
import { causeOf, type Chore, type Progress } from './chore.ts'
import { lockRooms } from './room.ts'

/** So many messages at most are deleted by one transaction, of so many rooms. */
const MESSAGES_AT_ONCE = 5_000
const ROOMS_AT_ONCE = 100

interface Doomed {
  id: string
  buyerId: string | null
  lastSeq: number
}

/**
 * The chore: deletes the rooms of a post that is deleted, with their messages, then says how many that were. Nobody opens another one
 * meanwhile: whoever does so locks the post before, which is marked; and who still sends something in a room has its lock, for which this
 * waits.
 */
export async function cascade(tx: Tx, chore: Chore): Promise<Progress> {
  const cause = causeOf(chore)
  const { about: postId, rooms, messages } = chore
  const next = await tx.query<Doomed>(
    `select id, buyer_id as "buyerId", last_seq as "lastSeq" from chat.room where post_id = $1 and type = 'trade' order by id limit $2`,
    [postId, ROOMS_AT_ONCE],
  )
  if (next.length === 0) {
    append(tx, chatPostRoomsDeleted({ postId, rooms, messages }), cause)
    return 'done'
  }
  const some = upTo(MESSAGES_AT_ONCE, next)
  const ids = some.map(({ id }) => id)
  const locked = await lockRooms(tx, ids)
  const first = ids[0]!
  const from = chore.roomId === first ? chore.seq : 0
  const to = from + MESSAGES_AT_ONCE
  if (some.length === 1 && (locked.get(first)?.lastSeq ?? 0) > to) {
    const gone = await count(tx, `${DELETE_MESSAGES} and seq <= $2`, [ids, to])
    return { roomId: first, seq: to, rooms, messages: messages + gone }
  }
  const gone = await count(tx, DELETE_MESSAGES, [ids])
  await remove(tx, { postId, rooms: some.filter(({ id }) => locked.has(id)) }, cause)
  return { roomId: null, seq: 0, rooms: rooms + locked.size, messages: messages + gone }
}

const DELETE_MESSAGES = 'delete from chat.message where room_id = any($1::uuid[])'

async function count(tx: Tx, deletion: string, values: unknown[]): Promise<number> {
  const [row] = await tx.query<{ n: number }>(
    `with gone as (${deletion} returning 1) select count(*) as n from gone`,
    values,
  )
  return row!.n
}

/** The first rooms that have so many messages together, one at least. */
function upTo(messages: number, rooms: readonly Doomed[]): Doomed[] {
  let sum = 0
  return rooms.filter(({ lastSeq }, i) => {
    sum += lastSeq
    return i === 0 || sum <= messages
  })
}

async function remove(
  tx: Tx,
  { postId, rooms }: { postId: string; rooms: readonly Doomed[] },
  cause: Cause,
): Promise<void> {
  const ids = rooms.map(({ id }) => id)
  const [post] = await tx.query<{ title: string }>('select title from chat.post where id = $1', [postId])
  tx.send('delete from chat.room_member where room_id = any($1::uuid[])', [ids])
  tx.send('delete from chat.room where id = any($1::uuid[])', [ids])
  for (const { id, buyerId } of rooms)
    append(
      tx,
      chatRoomDeleted({
        roomId: id,
        reason: 'post_deleted',
        post: { id: postId, title: post!.title, ...(buyerId !== null && { buyerId }) },
      }),
      cause,
    )
}
