import type { Connection, Database } from './database.ts'
import { hold, LANE, letGo, MEMBER, type Suspect } from './held.ts'

// A lane is a number: partition n of every topic a service reads, so that everything about a key meets in one lane. Owners hold
// session advisory locks on a connection of their own, which vanish with the process. Members are counted by locks too. Owning a lane
// is for economy: should two instances believe they own one, the positions let only one of them commit. Beside the lock stands a row,
// which outlives a process that is killed (held.ts).

const BALANCE_MS = 1_000

export interface Lanes {
  readonly owned: ReadonlySet<number>
  /** This member's number. */
  readonly me: number
  /** The lanes that others left without a word; whoever has gone through what was under way then deletes them here. */
  readonly suspects: Map<number, Suspect>
  /** Takes or gives back lanes until this instance has its fair share; looks at most once a second. Call it between two batches. Returns the newly owned. */
  balance(): Promise<number[]>
  close(): Promise<void>
}

/** Shares `count` lanes fairly among all that call this on the same database. */
export function createLanes(db: Database, count: number): Lanes {
  const owned = new Set<number>()
  const suspects = new Map<number, Suspect>()
  const me = Math.floor(Math.random() * 2 ** 31)
  let connection: Connection | undefined
  let looked = 0

  async function join(): Promise<Connection> {
    const fresh = await db.connect()
    connection = fresh
    owned.clear()
    void fresh.lost.then(() => {
      if (connection !== fresh) return
      connection = undefined
      owned.clear()
    })
    await fresh.query('select pg_advisory_lock($1, $2)', [MEMBER, me])
    return fresh
  }

  async function leave(): Promise<void> {
    const leaving = connection
    connection = undefined
    owned.clear()
    await leaving?.close()
  }

  async function fairShare(connection: Connection): Promise<number> {
    const [members] = await connection.query<{ count: number }>(
      `select count(*) from pg_locks
       where locktype = 'advisory' and classid = $1 and objsubid = 2 and granted
         and database = (select oid from pg_database where datname = current_database())`,
      [MEMBER],
    )
    return Math.ceil(count / Math.max(1, members!.count))
  }

  // A suspect lane's row stays: the next owner has to be as careful.
  const letGoOf = (connection: Connection, lanes: readonly number[]): Promise<void> =>
    letGo(
      connection,
      me,
      lanes.filter((lane) => !suspects.has(lane)),
    )

  async function giveBack(connection: Connection, surplus: readonly number[]): Promise<void> {
    for (const lane of surplus) owned.delete(lane)
    await letGoOf(connection, surplus)
    await connection.query('select pg_advisory_unlock($1, lane) from unnest($2::int[]) lane', [LANE, surplus])
  }

  async function take(connection: Connection, share: number): Promise<number[]> {
    const others = Array.from({ length: count }, (_, lane) => lane).filter((lane) => !owned.has(lane))
    // Newcomers start at different lanes, so that two of them do not fight for the same.
    const from = me % others.length
    const wanted = [...others.slice(from), ...others.slice(0, from)]
    const taken: number[] = []
    // As many as are missing, and again with the next ones while some were taken by others.
    while (wanted.length > 0 && owned.size + taken.length < share) {
      const rows = await connection.query<{ lane: number }>(
        'select lane from unnest($2::int[]) lane where pg_try_advisory_lock($1, lane)',
        [LANE, wanted.splice(0, share - owned.size - taken.length)],
      )
      taken.push(...rows.map((row) => row.lane))
    }
    if (taken.length > 0)
      for (const { lane, ...suspect } of await hold(connection, me, taken)) suspects.set(lane, suspect)
    return taken
  }

  return {
    owned,
    me,
    suspects,

    async balance() {
      if (connection && Date.now() - looked < BALANCE_MS) return []
      try {
        const mine = connection ?? (await join())
        looked = Date.now()
        const share = await fairShare(mine)
        const surplus = [...owned].slice(share)
        if (surplus.length > 0) await giveBack(mine, surplus)
        if (owned.size >= share) return []
        const taken = await take(mine, share)
        if (connection !== mine) return []
        for (const lane of taken) owned.add(lane)
        return taken
      } catch (thrown) {
        // Locks may be held that are not known of; they end with the connection.
        await leave()
        throw thrown
      }
    },

    async close() {
      // For economy: a lane that is not let go is only run with care by its next owner.
      if (connection) await letGoOf(connection, [...owned]).catch(() => {})
      await leave()
    },
  }
}
