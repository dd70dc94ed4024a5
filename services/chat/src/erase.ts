import {
  chatImageWithdrawn,
  chatMemberRemoved,
  chatMessageDeleted,
  chatRoomChanged,
  chatRoomDeleted,
} from '@pando/events'
import { append, type Cause, type Tx } from '@pando/saga'
import { forgetBlocks } from './blocks.ts'
import { causeOf, type Chore, type Progress, ROWS_AT_ONCE } from './chore.ts'
import { dropSome } from './drop.ts'
import { forgetFriends } from './friends.ts'
import { forgetImages } from './images.ts'
import { MESSAGE_COLUMNS, type MessageRow, messageView } from './message.ts'
import { loadRoom, lockRooms } from './room.ts'

const NEXT: Progress = { roomId: null, seq: 0 }

/**
 * The chore: takes a user who is no member any more out of everything, room by room, then says that nothing of them is left. Nothing of
 * theirs is added meanwhile: whatever names somebody locks their row of chat.member (`shareMembers`), and that row is gone.
 */
export async function eraseUser(tx: Tx, chore: Chore): Promise<Progress> {
  const userId = chore.about
  const cause = causeOf(chore)
  const [room] = await tx.query<{ id: string }>(
    'select room_id as id from chat.room_member where user_id = $1 order by room_id limit 1',
    [userId],
  )
  if (room) return eraseInRoom(tx, userId, { roomId: room.id, seq: room.id === chore.roomId ? chore.seq : 0 }, cause)
  if (await forgetFriends(tx, userId, ROWS_AT_ONCE, cause)) return NEXT
  if (await forgetBlocks(tx, userId, ROWS_AT_ONCE)) return NEXT
  forgetImages(tx, userId)
  append(tx, chatMemberRemoved({ userId }), cause)
  // Theirs may be to be shown, too.
  tx.send('delete from chat.chore where about = $1', [userId])
  return 'done'
}

/** What they wrote in a room, behind `seq`; with the last of it they are out of the room. */
async function eraseInRoom(
  tx: Tx,
  userId: string,
  { roomId, seq }: { roomId: string; seq: number },
  cause: Cause,
): Promise<Progress> {
  const locked = (await lockRooms(tx, [roomId])).get(roomId)
  const members = await tx.query<{ id: string; isIn: boolean }>(
    'select user_id as id, left_at is null as "isIn" from chat.room_member where room_id = $1 and (left_at is null or user_id = $2)',
    [roomId, userId],
  )
  const own = members.find(({ id }) => id === userId)
  // Everybody has left it, and it was dropped while this waited.
  if (!locked || !own) return NEXT
  if (members.length === 1) {
    if (own.isIn) append(tx, chatRoomDeleted({ roomId, reason: 'empty' }), cause)
    tx.send('update chat.room_member set left_at = now() where room_id = $1 and user_id = $2', [roomId, userId])
    await dropSome(tx, roomId)
    return NEXT
  }
  const upTo = seq + ROWS_AT_ONCE
  for (const { shown, ...row } of await eraseMessages(tx, userId, { roomId, after: seq, upTo })) {
    if (shown !== null) append(tx, chatImageWithdrawn({ roomId, imageId: shown }), cause)
    append(tx, chatMessageDeleted({ message: messageView(row) }), cause)
  }
  if (upTo < locked.lastSeq) return { roomId, seq: upTo }
  tx.send('delete from chat.room_member where room_id = $1 and user_id = $2', [roomId, userId])
  tx.send(
    `update chat.room set low_id = nullif(low_id, $2), high_id = nullif(high_id, $2), buyer_id = nullif(buyer_id, $2) where id = $1`,
    [roomId, userId],
  )
  if (own.isIn) append(tx, chatRoomChanged({ room: await loadRoom(tx, roomId), joined: [], left: [userId] }), cause)
  return NEXT
}

/**
 * Makes tombstones that name nobody of what they wrote, and of what the room said of them; resolves with these, by seq, and with the image
 * that each has shown.
 */
async function eraseMessages(
  tx: Tx,
  userId: string,
  { roomId, after, upTo }: { roomId: string; after: number; upTo: number },
): Promise<(MessageRow & { shown: string | null })[]> {
  const rows = await tx.query<MessageRow & { shown: string | null }>(
    `update chat.message m set sender_id = null, sender_name = null, text = null, image_id = null, system = null, client_message_id = null,
       deleted_at = coalesce(m.deleted_at, $5)
     from chat.message before
     where before.room_id = $1 and before.seq > $2 and before.seq <= $3
       and m.room_id = before.room_id and m.seq = before.seq
       and (m.sender_id = $4 or m.kind = 'system' and strpos(m.system, $4::text) > 0)
     returning ${MESSAGE_COLUMNS}, before.image_id as shown`,
    [roomId, after, upTo, userId, new Date()],
  )
  return rows.toSorted((a, b) => a.seq - b.seq)
}
