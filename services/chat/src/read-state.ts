import { chatRoomRead } from '@pando/events'
import { append, type Database, type Queryable, transaction, type Tx } from '@pando/saga'
import { type Batched, createBatcher, Problem } from '@pando/service'
import { lockRooms } from './room.ts'
import { type Place, placeKey } from './writers.ts'

/** Somebody has read a room up to `seq`. */
export interface Reading extends Place {
  seq: number
  traceparent?: string | undefined
}

/**
 * Notes how far members have read; it only goes forward. What comes at the same time shares a transaction. Rejects with not_found for
 * somebody who is not in the room, and with validation_failed for a seq that the room has not reached.
 */
export function createReadState(db: Database): Batched<Reading, void> {
  return createBatcher<Reading, void>((readings) => transaction(db, (tx) => readAll(tx, readings)))
}

async function readAll(tx: Tx, readings: readonly Reading[]): Promise<(void | Problem)[]> {
  const [rooms, lastReads] = await Promise.all([
    lockRooms(
      tx,
      readings.map(({ roomId }) => roomId),
    ),
    loadReads(tx, readings),
  ])
  const moved = new Map<string, Reading>()
  const results = readings.map((reading): void | Problem => {
    const { roomId, userId, seq, traceparent } = reading
    const key = placeKey(reading)
    const room = rooms.get(roomId)
    const lastRead = moved.get(key)?.seq ?? lastReads.get(key)
    if (!room || lastRead === undefined) return new Problem('not_found')
    if (seq > room.lastSeq)
      return new Problem('validation_failed', {
        errors: [{ path: '/seq', message: `is beyond the room's last message, ${room.lastSeq}` }],
      })
    if (seq <= lastRead) return undefined
    moved.set(key, reading)
    append(tx, chatRoomRead({ roomId, userId, lastReadSeq: seq }), { traceparent })
    return undefined
  })
  saveReads(tx, [...moved.values()])
  return results
}

/** How far they have read, by placeKey; who is not in the room is missing. */
async function loadReads(db: Queryable, places: readonly Place[]): Promise<Map<string, number>> {
  const rows = await db.query<Place & { lastReadSeq: number }>(
    `select rm.room_id as "roomId", rm.user_id as "userId", rm.last_read_seq as "lastReadSeq"
     from unnest($1::uuid[], $2::uuid[]) p(room_id, user_id)
     join chat.room_member rm on rm.room_id = p.room_id and rm.user_id = p.user_id and rm.left_at is null`,
    [places.map(({ roomId }) => roomId), places.map(({ userId }) => userId)],
  )
  return new Map(rows.map((row) => [placeKey(row), row.lastReadSeq]))
}

/** Writes how far members have read, each of them once, within this transaction, which has locked their rooms. Never back. */
export function saveReads(tx: Tx, readings: readonly (Place & { seq: number })[]): void {
  if (readings.length === 0) return
  tx.send(
    `update chat.room_member rm set last_read_seq = greatest(rm.last_read_seq, p.seq)
     from unnest($1::uuid[], $2::uuid[], $3::bigint[]) p(room_id, user_id, seq)
     where rm.room_id = p.room_id and rm.user_id = p.user_id`,
    [readings.map(({ roomId }) => roomId), readings.map(({ userId }) => userId), readings.map(({ seq }) => seq)],
  )
}
