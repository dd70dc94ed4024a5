import { type RoomView, roomViewFor } from '@pando/events/views'
import { type Database, transaction, type Tx } from '@pando/saga'
import { type Batched, createBatcher } from '@pando/service'
import { type Bookmark, bookmarkValues, cursorOf } from './bookmark.ts'
import { loadStoredRooms, type StoredRoom } from './room.ts'
import { createRoomCache, type RoomCache } from './room-cache.ts'

export interface AskedRooms {
  userId: string
  after: Bookmark | undefined
  limit: number
}

export interface RoomPage {
  items: RoomView[]
  next: string | null
}

const USERS_AT_ONCE = 50

/**
 * Tells a user's rooms, last activity first, from the bookmark on. A page is as of one moment. A room that becomes active while somebody
 * turns pages moves to the front of the list, and is on none of the later ones; all others are on exactly one.
 * What is asked at the same time is read together, and of that only the rooms that have changed since they were last read here.
 */
export function createRoomList(db: Database): Batched<AskedRooms, RoomPage> {
  const cache = createRoomCache()
  return createBatcher(
    async (asked) => {
      const found = await transaction(db, (tx) => read(tx, cache, asked))
      return asked.map((one, i) => pageOf(one, found[i]!))
    },
    { max: USERS_AT_ONCE },
  )
}

/** For each who asks the rooms in their order, one more than asked for. */
async function read(tx: Tx, cache: RoomCache, asked: readonly AskedRooms[]): Promise<StoredRoom[][]> {
  // The second statement must not see more than the first.
  tx.send('set transaction isolation level repeatable read, read only', [])
  const after = asked.map((one) => bookmarkValues(one.after))
  const rows = await tx.query<{ n: number; id: string; version: number }>(
    `select a.n, r.id, r.version
     from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[]) with ordinality a(user_id, after_at, after_id, size, n)
     cross join lateral (
       select r.id, r.version, r.active_at from chat.room_member rm join chat.room r on r.id = rm.room_id
       where rm.user_id = a.user_id and rm.left_at is null and (a.after_at is null or (r.active_at, r.id) < (a.after_at, a.after_id))
       order by r.active_at desc, r.id desc limit a.size) r
     order by a.n, r.active_at desc, r.id desc`,
    [
      asked.map(({ userId }) => userId),
      after.map(([at]) => at),
      after.map(([, id]) => id),
      asked.map(({ limit }) => limit + 1),
    ],
  )
  const known = new Map<string, StoredRoom>()
  const unknown = new Set<string>()
  for (const { id, version } of rows) {
    const stored = known.get(id) ?? cache.get(id, version)
    if (stored) known.set(id, stored)
    else unknown.add(id)
  }
  if (unknown.size > 0)
    for (const [id, stored] of await loadStoredRooms(tx, [...unknown])) {
      known.set(id, stored)
      cache.keep(stored)
    }
  const found = asked.map((): StoredRoom[] => [])
  for (const { n, id } of rows) found[n - 1]!.push(known.get(id)!)
  return found
}

function pageOf({ userId, limit }: AskedRooms, found: readonly StoredRoom[]): RoomPage {
  const page = found.slice(0, limit)
  const last = found.length > limit ? page.at(-1) : undefined
  return {
    items: page
      // Whoever has just deleted their account is shown in none.
      .filter(({ room }) => room.members.some(({ user }) => user.id === userId))
      .map(({ room }) => roomViewFor(room, userId)),
    next: last ? cursorOf({ at: last.activeAt.getTime(), id: last.room.id }) : null,
  }
}
