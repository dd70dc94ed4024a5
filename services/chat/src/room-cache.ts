import type { StoredRoom } from './room.ts'

/** Rooms that were read before: for those who ask for the same ones again and again while little changes in them. */
export interface RoomCache {
  /** The room as of this version, if it is here. */
  get(id: string, version: number): StoredRoom | undefined
  keep(stored: StoredRoom): void
}

/**
 * Keeps what was asked for last: rooms with `max` members in all at least, twice as many at most (some 300 bytes each). A room of one
 * version looks the same for ever, so nothing here can be stale; what is no longer asked for goes.
 */
export function createRoomCache(max = 50_000): RoomCache {
  let young = new Map<string, StoredRoom>()
  let old = new Map<string, StoredRoom>()
  let members = 0

  function keep(stored: StoredRoom): void {
    if (members >= max) {
      old = young
      young = new Map()
      members = 0
    }
    young.set(stored.room.id, stored)
    members += stored.room.members.length
  }

  return {
    get(id, version) {
      const recent = young.get(id)
      if (recent?.version === version) return recent
      const kept = old.get(id)
      if (kept?.version !== version) return undefined
      keep(kept)
      return kept
    },
    keep,
  }
}
