import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connection, Database } from './database.ts'
import { SagaError } from './errors.ts'

const FILE = /^(\d{3})_[a-z0-9_]+\.sql$/

/**
 * Brings a database up to date: runs each `NNN_what.sql` of `directory` that was not run yet, in order, each in a transaction of its
 * own with a note in `schema.migration`. One process at a time (advisory lock); others wait. Throws SAGA_MIGRATION when a file that
 * ran has since changed or gone, when one fails, or when one's name does not say its place (naming it).
 */
export async function migrate(db: Database, { schema, directory }: { schema: string; directory: URL }): Promise<void> {
  if (!/^[a-z_]+$/.test(schema))
    throw new SagaError('SAGA_MIGRATION', `"${schema}" is no name for a schema; use a-z and _`)
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).toSorted()
  const unclear = files.find((name, i) => !FILE.test(name) || name.slice(0, 3) === files[i - 1]?.slice(0, 3))
  if (unclear !== undefined)
    throw new SagaError('SAGA_MIGRATION', `migration ${unclear} must be named NNN_what.sql with a number of its own`)
  const connection = await db.connect()
  try {
    await connection.query(`select pg_advisory_lock(hashtext('saga.migrate'))`)
    await connection.query(`create schema if not exists ${schema}`)
    await connection.query(`
      create table if not exists ${schema}.migration (name text primary key, hash text not null, ran_at timestamptz not null default now())`)
    const ran = await connection.query<{ name: string; hash: string }>(
      `select name, hash from ${schema}.migration order by name`,
    )
    const gone = ran.find(({ name }) => !files.includes(name))
    if (gone)
      throw new SagaError(
        'SAGA_MIGRATION',
        `this database ran migration ${gone.name}, which this version does not have: use a newer version`,
      )
    for (const name of files) await runOnce(connection, schema, name, directory, ran)
  } finally {
    await connection.close()
  }
}

async function runOnce(
  connection: Connection,
  schema: string,
  name: string,
  directory: URL,
  ran: readonly { name: string; hash: string }[],
): Promise<void> {
  const text = await readFile(join(fileURLToPath(directory), name), 'utf8')
  const hash = createHash('sha256').update(text).digest('hex')
  const before = ran.find((row) => row.name === name)
  if (before?.hash === hash) return
  if (before)
    throw new SagaError('SAGA_MIGRATION', `migration ${name} has changed since it ran; add a new file instead`)
  try {
    await connection.query(
      `begin;\n${text}\n;insert into ${schema}.migration (name, hash) values ('${name}', '${hash}');commit`,
    )
  } catch (cause) {
    // The connection, which is closed now, takes the transaction with it.
    throw new SagaError(
      'SAGA_MIGRATION',
      `migration ${name} failed: ${String(cause instanceof Error ? cause.message : cause)}`,
      { cause },
    )
  }
}
