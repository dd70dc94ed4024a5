import { randomBytes } from 'node:crypto'
import { type Database, type Queryable, createDatabase } from '@pando/saga'

/** Where hooks are registered: a test's context, or `{ after }` of node:test for a whole file. */
export interface Scope {
  after(fn: () => Promise<void>): void
}

export interface TestDatabaseOptions {
  /** Brings the empty database to the state that the tests want. */
  migrate?: (db: Database) => Promise<void>
  /** A name for what `migrate` makes: it then runs once per test run, and every database of that name is a copy. */
  template?: string
}

// One run's databases share a prefix, so that `npm test` can sweep what killed tests left. A file run by hand is a run of
// its own, whose templates nobody sweeps.
const run = (process.env.TEST_RUN ??= randomBytes(4).toString('hex'))

/** The cluster that tests may create databases in; throws when the file was not started by `npm test`. */
export function clusterUrl(): string {
  const url = process.env.TEST_DATABASE_URL
  if (!url)
    throw new Error(
      'TEST_DATABASE_URL is not set: run `npm test -- <part of the path>`, or set it to a PostgreSQL cluster',
    )
  return url
}

/**
 * A name for a database, or for the beginning of several names, that nobody else has and that the end of the run sweeps away:
 * `test_<run>_<hint>_<random>`, at most 40 characters.
 */
export function testName(hint: string): string {
  return `test_${run}_${hint
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 17)}_${randomBytes(4).toString('hex')}`
}

/**
 * An open database of the test's own, with its `url`. It is closed and dropped after the test, behind every other hook of that test,
 * so that services registered later still stop on a living database. At the file's level (`{ after }`) hooks run in the order of their
 * registration: there, stop what uses the database in a hook registered before this call.
 */
export async function testDatabase(
  scope: Scope,
  options: TestDatabaseOptions = {},
): Promise<Database & { readonly url: string }> {
  const { migrate, template } = options
  const name = testName(template ?? 'db')
  await asAdmin(async (admin) => {
    const from = template && migrate ? await ensureTemplate(admin, template, migrate) : 'template0'
    await admin.query(`create database ${name} template ${from}`)
  })
  const url = urlOf(name)
  const db = createDatabase({ connectionString: url, applicationName: name })
  const release = async () => {
    await db.close()
    await asAdmin((admin) => admin.query(`drop database if exists ${name} with (force)`))
  }
  // node:test runs hooks first in, first out; one registered by a hook comes last.
  scope.after(async () => scope.after(release))
  if (migrate && !template) await migrate(db)
  return Object.assign(db, { url })
}

/** Drops every database of this run. */
export function sweepTestDatabases(): Promise<void> {
  return dropDatabases(`test_${run}_`)
}

/** Drops every database whose name begins so. */
export async function dropDatabases(prefix: string): Promise<void> {
  await asAdmin(async (admin) => {
    const left = await admin.query<{ name: string }>(
      `select datname as name from pg_database where starts_with(datname, $1)`,
      [prefix],
    )
    for (const { name } of left) await admin.query(`drop database if exists ${name} with (force)`)
  })
}

// The lock is the session's: it ends with the connection, even when the process is killed. A template gets its name when it is
// complete, so that a failed migration is never copied.
async function ensureTemplate(
  admin: Queryable,
  template: string,
  migrate: (db: Database) => Promise<void>,
): Promise<string> {
  const name = `test_${run}_template_${template.replace(/[^a-z0-9]+/gi, '_').toLowerCase()}`
  await admin.query('select pg_advisory_lock(hashtextextended($1, 0))', [name])
  const [found] = await admin.query('select datname from pg_database where datname = $1', [name])
  if (found) return name
  const draft = testName('draft')
  await admin.query(`create database ${draft} template template0`)
  const db = createDatabase({ connectionString: urlOf(draft), applicationName: draft })
  try {
    await migrate(db)
  } finally {
    await db.close()
  }
  await admin.query(`alter database ${draft} rename to ${name}`)
  return name
}

async function asAdmin<T>(work: (admin: Queryable) => Promise<T>): Promise<T> {
  const db = createDatabase({ connectionString: clusterUrl(), max: 1, applicationName: 'test' })
  try {
    const admin = await db.connect()
    try {
      return await work(admin)
    } finally {
      await admin.close()
    }
  } finally {
    await db.close()
  }
}

/** The address of a database of the cluster. */
export function urlOf(database: string): string {
  const url = new URL(clusterUrl())
  url.pathname = `/${database}`
  return url.href
}
