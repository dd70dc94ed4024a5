import type { Database } from './database.ts'

const DAY_MS = 86_400_000
const AHEAD = 7

/** Days since 1970 (UTC) of a time in milliseconds. */
export const today = (time = Date.now()): number => Math.floor(time / DAY_MS)

/** The day of a UUIDv7, from the time that is its first 48 bits; 0 for another kind of id. */
export function dayOfId(id: string): number {
  if (id[14] !== '7') return 0
  return Math.floor(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) / DAY_MS)
}

/**
 * Keeps a table that is partitioned by range of a column of days: one partition for each of the last `kept` days and the next
 * seven, older ones dropped whole. For names that are constants of the code.
 */
export async function ensureDays(db: Database, table: string, kept: number): Promise<void> {
  const now = today()
  const rows = await db.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = '${table}'::regclass`,
  )
  const have = new Set(rows.map((row) => row.name))
  const base = table.slice(table.indexOf('.') + 1)
  const schema = table.slice(0, table.indexOf('.'))
  const statements: string[] = []
  for (let day = now - kept; day <= now + AHEAD; day++)
    if (!have.has(`${base}_${day}`))
      statements.push(`create table if not exists ${schema}.${base}_${day} partition of ${table} for values from (${day}) to (${day + 1})`)
  for (const name of have) {
    const day = Number(/_(\d+)$/.exec(name)?.[1] ?? Infinity)
    if (day < now - kept) statements.push(`drop table if exists ${schema}.${name}`)
  }
  // Several statements without values are one transaction. Two processes may do this at once; the lock lets one after the other.
  if (statements.length > 0) await db.query(`select pg_advisory_xact_lock(hashtext('saga.days')); ${statements.join('; ')}`)
}
