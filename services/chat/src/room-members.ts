import { chatMessageCreated, chatRoomChanged } from '@pando/events'
import { type RoomView, roomViewFor, type SystemView, type UserView } from '@pando/events/views'
import { append, type Cause, type Database, retryOnConflict, transaction, type Tx } from '@pando/saga'
import { Problem } from '@pando/service'
import type { ChoreBell } from './chore.ts'
import { deleteRoom } from './drop.ts'
import { assertInvitable, loadGuests } from './guests.ts'
import { actorAmong, shareMembers } from './members.ts'
import { addMessages, messageView } from './message.ts'
import { loadRoom, lockRoomFor, type RoomRow } from './room.ts'
import type { Actor } from './rooms.ts'

/** So many are in a room at most. */
const MEMBERS_AT_MOST = 300

/**
 * Brings friends into a group; who is in already stays as they are. Throws not_found for somebody who is no member, and for a room that
 * the user is not in; conflict when it is no group, or would be too large; forbidden as `openGroup`.
 */
export function addMembers(
  db: Database,
  { userId, traceparent }: Actor,
  { roomId, userIds }: { roomId: string; userIds: readonly string[] },
): Promise<RoomView> {
  const others = [...new Set(userIds)].filter((id) => id !== userId)
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const guests = await loadGuests(tx, userId, others)
      const actor = actorAmong(guests.members, userId)
      const locked = await lockRoomFor(tx, roomId, userId)
      assertGroup(locked)
      const inside = await insiders(tx, roomId)
      const newcomers = others.filter((id) => !inside.has(id)).toSorted()
      assertInvitable(guests, newcomers)
      if (inside.size + newcomers.length > MEMBERS_AT_MOST)
        throw new Problem('conflict', {
          detail: `A room has ${MEMBERS_AT_MOST} members at most; this one has ${inside.size}.`,
        })
      if (newcomers.length > 0) {
        tx.send(
          `insert into chat.room_member (room_id, user_id, last_read_seq) select $1, unnest($2::uuid[]), $3
           on conflict (room_id, user_id) do update
             set left_at = null, joined_at = now(), muted = false, last_read_seq = excluded.last_read_seq`,
          [roomId, newcomers, locked.lastSeq],
        )
        const users = newcomers.map((id) => senderOf(guests.members.get(id)!))
        say(tx, locked, { code: 'member_joined', users, by: senderOf(actor) }, { traceparent })
      }
      const room = await loadRoom(tx, roomId)
      if (newcomers.length > 0)
        append(tx, chatRoomChanged({ room, joined: newcomers, left: [], by: userId }), { traceparent })
      return roomViewFor(room, userId)
    }),
  )
}

/**
 * Takes the user out of a group; with the last one the room goes. Throws not_found for a room that the user is not in, and conflict
 * when it is no group.
 */
export function leaveRoom(
  { db, chores }: { db: Database; chores: ChoreBell },
  { userId, traceparent }: Actor,
  roomId: string,
): Promise<void> {
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const leaver = (await shareMembers(tx, [userId])).get(userId)
      if (!leaver) throw new Problem('unauthenticated')
      const locked = await lockRoomFor(tx, roomId, userId)
      assertGroup(locked)
      tx.send('update chat.room_member set left_at = now() where room_id = $1 and user_id = $2', [roomId, userId])
      const isEmpty = (await insiders(tx, roomId)).size === 0
      if (!isEmpty) say(tx, locked, { code: 'member_left', users: [senderOf(leaver)] }, { traceparent })
      const room = await loadRoom(tx, roomId)
      append(tx, chatRoomChanged({ room, joined: [], left: [userId] }), { traceparent })
      if (isEmpty) await deleteRoom(tx, chores, roomId, { traceparent })
    }),
  )
}

function assertGroup({ type }: RoomRow): void {
  if (type !== 'group')
    throw new Problem('conflict', { detail: 'Only a group can be left, and only to a group others can be added.' })
}

async function insiders(tx: Tx, roomId: string): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(
    'select user_id as id from chat.room_member where room_id = $1 and left_at is null',
    [roomId],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Puts a message of the room's own behind its last one. */
function say(tx: Tx, { id, lastSeq }: RoomRow, system: SystemView, cause: Cause): void {
  const [row] = addMessages(tx, new Map([[id, lastSeq]]), [{ roomId: id, system }])
  append(tx, chatMessageCreated({ message: messageView(row!) }), cause)
}

const senderOf = ({ id, displayName }: UserView) => ({ id, displayName })
