import { type Bell, createLoop, type Database, isTransient, type Running, transaction, type Tx } from '@pando/saga'
import { cascade } from './cascade.ts'
import type { Chore, Progress } from './chore.ts'
import { dropRoom } from './drop.ts'
import { eraseUser } from './erase.ts'
import { showRooms } from './show.ts'

/** For chores that another process has added. */
const LOOK_MS = 1_500
const RETRY_SECONDS = 60

const DO: Record<Chore['kind'], (tx: Tx, chore: Chore) => Promise<Progress>> = {
  show: showRooms,
  erase: eraseUser,
  drop: dropRoom,
  cascade,
}

/**
 * Does the chores, a transaction for some of each in turn, while `bell` tells that there are any. How far a chore is stands in its row,
 * and is committed with what was done, so whoever comes next goes on there. Each is done by one process at a time.
 */
export function createChores({
  db,
  bell,
  onError,
}: {
  db: Database
  bell: Bell
  onError: (error: Error) => void
}): Running {
  return createLoop({
    bell,
    onError,
    async turn() {
      if (!(await doSome(db, onError))) await bell.wait(LOOK_MS)
    },
  })
}

/** Does some of the chore that has waited longest; resolves with whether there was one. One that fails is left alone for a minute. */
export async function doSome(db: Database, onError: (error: Error) => void): Promise<boolean> {
  let taken: Chore | undefined
  try {
    return await transaction(db, async (tx) => {
      ;[taken] = await tx.query<Chore>(
        `select about, kind, room_id as "roomId", seq, rooms, messages, cause from chat.chore where due_at <= now()
         order by due_at limit 1 for update skip locked`,
      )
      if (!taken) return false
      save(tx, taken, await DO[taken.kind](tx, taken))
      return true
    })
  } catch (thrown) {
    if (!taken || isTransient(thrown)) throw thrown
    const { about, kind } = taken
    onError(new Error(`the chore "${kind}" about ${about} failed; it is left alone for a minute`, { cause: thrown }))
    await db.query('update chat.chore set due_at = now() + make_interval(secs => $3) where about = $1 and kind = $2', [
      about,
      kind,
      RETRY_SECONDS,
    ])
    return true
  }
}

function save(tx: Tx, { about, kind }: Chore, progress: Progress): void {
  if (progress === 'done') tx.send('delete from chat.chore where about = $1 and kind = $2', [about, kind])
  else
    tx.send(
      `update chat.chore set room_id = $3, seq = $4, rooms = $5, messages = $6, due_at = clock_timestamp()
       where about = $1 and kind = $2`,
      [about, kind, progress.roomId, progress.seq, progress.rooms ?? 0, progress.messages ?? 0],
    )
}
