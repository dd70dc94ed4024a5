import { chatRoomDeleted } from '@pando/events'
import { append, type Cause, type Tx } from '@pando/saga'
import { addChores, type Chore, type ChoreBell, type Progress, ROWS_AT_ONCE } from './chore.ts'
import { lockRooms } from './room.ts'

/** Deletes a room that nobody is in any more, within this transaction, which has locked it; what is too much for one is left to a chore. */
export async function deleteRoom(tx: Tx, bell: ChoreBell, roomId: string, cause: Cause): Promise<void> {
  append(tx, chatRoomDeleted({ roomId, reason: 'empty' }), cause)
  if (!(await dropSome(tx, roomId))) addChores(tx, bell, 'drop', [{ about: roomId }])
}

/** The chore: the messages of a room that everybody has left, and then the room itself. */
export async function dropRoom(tx: Tx, { about }: Chore): Promise<Progress> {
  const locked = await lockRooms(tx, [about])
  // Gone already when the erasing of a member has come upon it.
  return locked.size === 0 || (await dropSome(tx, about)) ? 'done' : { roomId: null, seq: 0 }
}

/** Deletes some messages of a locked room, with the last ones the room; resolves with whether it is gone. */
export async function dropSome(tx: Tx, roomId: string): Promise<boolean> {
  const gone = await tx.query(
    `delete from chat.message m using (select seq from chat.message where room_id = $1 order by seq limit $2) gone
     where m.room_id = $1 and m.seq = gone.seq returning 1`,
    [roomId, ROWS_AT_ONCE],
  )
  if (gone.length === ROWS_AT_ONCE) return false
  tx.send('delete from chat.room_member where room_id = $1', [roomId])
  tx.send('delete from chat.room where id = $1', [roomId])
  return true
}
