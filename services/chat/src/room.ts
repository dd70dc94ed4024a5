import type { Room, RoomView } from '@pando/events/views'
import type { Queryable, Tx } from '@pando/saga'
import { Problem } from '@pando/service'
import { MESSAGE_COLUMNS, type MessageRow, messageView } from './message.ts'

/** A room's own row. */
export interface RoomRow {
  id: string
  type: RoomView['type']
  name: string | null
  /** The pair of a direct or trade room. */
  lowId: string | null
  highId: string | null
  lastSeq: number
}

/**
 * Locks rooms until the end of the transaction: whoever changes a room, its members or its messages does so first, so that all of it,
 * and the events that tell of it, have one order. It moves their versions on, by which the list of rooms knows what it has read before.
 * By id; a room that there is not is missing. Call it once in a transaction.
 */
export async function lockRooms(tx: Tx, ids: readonly string[]): Promise<Map<string, RoomRow>> {
  const rows = await tx.query<RoomRow>(
    `update chat.room r set version = r.version + 1
     from (select id from chat.room where id = any($1::uuid[]) order by id for update) locked where r.id = locked.id
     returning r.id, r.type, r.name, r.low_id as "lowId", r.high_id as "highId", r.last_seq as "lastSeq"`,
    [[...new Set(ids)]],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Whether the user is in the room now. */
export async function isInRoom(db: Queryable, roomId: string, userId: string): Promise<boolean> {
  const found = await db.query('select from chat.room_member where room_id = $1 and user_id = $2 and left_at is null', [
    roomId,
    userId,
  ])
  return found.length > 0
}

/** As `lockRooms`, one room for somebody who is in it. Throws not_found for anybody else. */
export async function lockRoomFor(tx: Tx, roomId: string, userId: string): Promise<RoomRow> {
  const [locked, isIn] = await Promise.all([lockRooms(tx, [roomId]), isInRoom(tx, roomId, userId)])
  const room = locked.get(roomId)
  if (!room || !isIn) throw new Problem('not_found')
  return room
}

/** A room as it is stored: of one version it looks the same for ever. */
export interface StoredRoom {
  room: Room
  version: number
  activeAt: Date
}

/** Rooms with their versions, by id, all as of one moment. For what they hold see `loadRooms`. */
export async function loadStoredRooms(db: Queryable, ids: readonly string[]): Promise<Map<string, StoredRoom>> {
  // One statement, since each of several would see its own moment.
  const rows = await db.query<
    Omit<Room, 'lastMessage' | 'post'> & { post: Room['post'] | null } & Omit<StoredRoom, 'room'> &
      (MessageRow | { seq: null })
  >(
    `select r.id, r.type, r.name, r.last_seq as "lastSeq", r.version, r.active_at as "activeAt", ${MESSAGE_COLUMNS},
       (select json_build_object('id', p.id, 'title', p.title, 'status', p.status) from chat.post p where p.id = r.post_id) as post,
       (select coalesce(json_agg(json_build_object(
            'user', json_build_object('id', u.user_id, 'username', u.username, 'displayName', u.display_name, 'statusMessage', u.status_message),
            'lastReadSeq', rm.last_read_seq, 'muted', rm.muted) order by rm.joined_at, rm.user_id), '[]')
        from chat.room_member rm join chat.member u on u.user_id = rm.user_id
        where rm.room_id = r.id and rm.left_at is null) as members
     from chat.room r left join chat.message m on m.room_id = r.id and m.seq = r.last_seq where r.id = any($1::uuid[])`,
    [ids],
  )
  return new Map(
    rows.map((row) => {
      const { id, type, name, post, members, lastSeq, version, activeAt } = row
      const lastMessage = row.seq === null ? null : messageView(row)
      return [id, { room: { id, type, name, ...(post && { post }), members, lastMessage, lastSeq }, version, activeAt }]
    }),
  )
}

/**
 * Rooms whole, as events tell them, by id, all as of one moment: with everybody who is in them, by the order in which they joined, and
 * the last message.
 */
export async function loadRooms(db: Queryable, ids: readonly string[]): Promise<Map<string, Room>> {
  return new Map([...(await loadStoredRooms(db, ids))].map(([id, { room }]) => [id, room]))
}

/** One room that there is. Throws TypeError when there is none. */
export async function loadRoom(db: Queryable, id: string): Promise<Room> {
  const room = (await loadRooms(db, [id])).get(id)
  if (!room) throw new TypeError(`there is no room ${id}`)
  return room
}
