import type { Database, Queryable } from './database.ts'
import { transaction } from './transaction.ts'

const DAY_MS = 86_400_000
const AHEAD = 3
const LOCK_WAIT_MS = 200
const LOCK_NOT_AVAILABLE = '55P03'

/** Days since 1970 (UTC) of a time in milliseconds. */
export const today = (time = Date.now()): number => Math.floor(time / DAY_MS)

/** The day of a UUIDv7, from the time that is its first 48 bits; 0 for another kind of id. */
export function dayOfId(id: string): number {
  if (id[14] !== '7') return 0
  return Math.floor(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) / DAY_MS)
}

/**
 * Keeps a table that is partitioned by range of its column `day`, with a default partition `…_other`: one partition for each of the
 * last `kept` days and the next three, older ones dropped whole. Call it at the start and every hour: when others hold the table for
 * longer than a moment (a backup), it leaves the rest to the next call; rows of a day without a partition wait in the default one.
 * (One that is being written there while its partition comes is refused, 23514, and right when it is written again.)
 * `beforeDrop` gives a statement to run before a day is dropped, in the same transaction, with the whole table locked.
 * For names that are constants of the code.
 */
export async function ensureDays(
  db: Database,
  table: string,
  kept: number,
  beforeDrop?: (day: number) => string,
): Promise<void> {
  const now = today()
  const wanted = Array.from({ length: kept + 1 + AHEAD }, (_, i) => now - kept + i)
  await change(db, table, (have) => wanted.filter((day) => !have.has(day)).flatMap((day) => add(table, day)))
  // Not in the same transaction: it locks the whole table, and who holds the default partition already could wait for one who waits
  // for that.
  await change(db, table, (have) =>
    [...have]
      .filter((day) => day < now - kept)
      .flatMap((day) => [
        ...(beforeDrop ? [`lock table ${table} in access exclusive mode`, beforeDrop(day)] : []),
        `drop table ${table}_${day}`,
      ]),
  )
}

async function change(
  db: Database,
  table: string,
  statementsFor: (have: ReadonlySet<number>) => string[],
): Promise<void> {
  if (statementsFor(await daysOf(db, table)).length === 0) return
  try {
    await transaction(db, async (tx) => {
      // One process at a time; the next one then finds less to do.
      tx.send(`select pg_advisory_xact_lock(hashtext('saga.days'))`, [])
      const statements = statementsFor(await daysOf(tx, table))
      // Whoever comes later queues behind a lock that is waited for, so this one does not wait for long.
      if (statements.length > 0) await tx.query([`set local lock_timeout = ${LOCK_WAIT_MS}`, ...statements].join('; '))
    })
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === LOCK_NOT_AVAILABLE)) throw thrown
  }
}

/** The days that have a partition. */
async function daysOf(db: Queryable, table: string): Promise<Set<number>> {
  const rows = await db.query<{ name: string }>(
    'select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass',
    [table],
  )
  const days = rows.map(({ name }) => /_(\d+)$/.exec(name)?.[1]).filter((day) => day !== undefined)
  return new Set(days.map(Number))
}

// Attached, not made in place: `create table … partition of` would lock out all readers and writers. Rows that came before their
// partition (a clock that was ahead, hours without maintenance) move into it; left in the default one they would forbid it for ever.
const add = (table: string, day: number): string[] => [
  `create table ${table}_${day} (like ${table} including all)`,
  `lock table ${table}_other in access exclusive mode`,
  `with moved as (delete from ${table}_other where day = ${day} returning *) insert into ${table}_${day} select * from moved`,
  `alter table ${table} attach partition ${table}_${day} for values from (${day}) to (${day + 1})`,
]
