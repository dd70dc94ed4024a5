import { chatImageWithdrawn, chatMessageDeleted } from '@pando/events'
import type { MessageView } from '@pando/events/views'
import { append, type Database, type Queryable, transaction } from '@pando/saga'
import { Problem } from '@pando/service'
import { MESSAGE_COLUMNS, type MessageRow, messageView } from './message.ts'
import { isInRoom, lockRooms } from './room.ts'
import type { Place } from './writers.ts'

/** Which messages of a room: those before a seq, newest first, or those after one, oldest first; at most `limit`. */
export type Range = { limit: number } & ({ before: number } | { after: number })

// One question for the messages and for whether the user may see them: no row for somebody who is not in the room, one without a message
// when there is none.
const pageOf = (condition: string, order: 'asc' | 'desc'): string =>
  `select ${MESSAGE_COLUMNS} from chat.room_member rm
   left join lateral (select * from chat.message where room_id = rm.room_id and ${condition} order by seq ${order} limit $4) m on true
   where rm.room_id = $1 and rm.user_id = $2 and rm.left_at is null order by m.seq ${order}`
const BEFORE = pageOf('seq < $3', 'desc')
const AFTER = pageOf('seq > $3', 'asc')

/** Messages as a member of the room sees them. Throws not_found for anybody else. */
export async function listMessages(db: Queryable, { roomId, userId }: Place, range: Range): Promise<MessageView[]> {
  const [sql, bound] = 'after' in range ? [AFTER, range.after] : [BEFORE, range.before]
  const rows = await db.query<MessageRow>(sql, [roomId, userId, bound, range.limit])
  if (rows.length === 0) throw new Problem('not_found')
  return rows.filter(({ seq }) => seq !== null).map(messageView)
}

/**
 * Makes a tombstone of a message that the user has sent; of one that is a tombstone already, nothing.
 * Throws not_found, and forbidden for a message of somebody else or of the room itself.
 */
export async function deleteMessage(
  db: Database,
  { roomId, userId, seq, traceparent }: Place & { seq: number; traceparent?: string | undefined },
): Promise<void> {
  await transaction(db, async (tx) => {
    const [, isMember, [row]] = await Promise.all([
      lockRooms(tx, [roomId]),
      isInRoom(tx, roomId, userId),
      tx.query<MessageRow>(`select ${MESSAGE_COLUMNS} from chat.message m where m.room_id = $1 and m.seq = $2`, [
        roomId,
        seq,
      ]),
    ])
    if (!isMember || !row) throw new Problem('not_found')
    if (row.senderId !== userId)
      throw new Problem('forbidden', { detail: 'Only who has sent a message can delete it.' })
    if (row.deletedAt) return
    const tombstone = { ...row, text: null, imageId: null, deletedAt: new Date() }
    tx.send('update chat.message set text = null, image_id = null, deleted_at = $3 where room_id = $1 and seq = $2', [
      roomId,
      seq,
      tombstone.deletedAt,
    ])
    const { imageId } = row
    if (imageId !== null) append(tx, chatImageWithdrawn({ roomId, imageId }), { traceparent })
    append(tx, chatMessageDeleted({ message: messageView(tombstone) }), { traceparent })
  })
}
