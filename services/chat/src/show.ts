import { chatRoomChanged } from '@pando/events'
import { append, type Tx } from '@pando/saga'
import { causeOf, type Chore, type Progress } from './chore.ts'
import { loadRooms, lockRooms } from './room.ts'

/** An event shows a whole room, with up to 300 members. */
const ROOMS_AT_ONCE = 20

/** The chore: shows all rooms of a user anew, with the names that hold now. */
export async function showRooms(tx: Tx, chore: Chore): Promise<Progress> {
  const rows = await tx.query<{ id: string }>(
    `select room_id as id from chat.room_member where user_id = $1 and left_at is null and ($2::uuid is null or room_id > $2)
     order by room_id limit $3`,
    [chore.about, chore.roomId, ROOMS_AT_ONCE],
  )
  const ids = rows.map(({ id }) => id)
  if (ids.length === 0) return 'done'
  await lockRooms(tx, ids)
  for (const room of (await loadRooms(tx, ids)).values())
    // Who has left it meanwhile is not shown in it.
    if (room.members.some(({ user }) => user.id === chore.about))
      append(tx, chatRoomChanged({ room, joined: [], left: [] }), causeOf(chore))
  return ids.length < ROOMS_AT_ONCE ? 'done' : { roomId: ids.at(-1)!, seq: 0 }
}
