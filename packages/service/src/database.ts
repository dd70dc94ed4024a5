import { setTimeout as delay } from 'node:timers/promises'
import { createDatabase, isTransient } from '@pando/saga'
import type { Database } from '@pando/saga'
import pg from 'pg'
import { StartError } from './errors.ts'
import type { Logger } from './log.ts'

const OLDEST = 150_000
const PATIENCE_MS = 30_000
const PAUSE_MS = 500

export interface OpenDatabaseOptions {
  /** The cluster; its own database is only connected to in order to create `name`. */
  clusterUrl: string
  name: string
  /** Connections of the pool at most. */
  max: number
  applicationName: string
  log: Logger
  /** Ends the wait for a server that is not there yet. */
  signal?: AbortSignal | undefined
  /** How long to wait for a server that is not there yet; default 30 s, because services may start before it. */
  patienceMs?: number
}

/**
 * Opens a pool on the database `name`, which is created when it is missing; any number of processes may do so at once.
 * @throws {StartError} when the server stays away, is too old, or refuses the user or the creation
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  await ensureDatabase(options)
  const url = new URL(options.clusterUrl)
  url.pathname = `/${options.name}`
  return createDatabase({
    connectionString: url.href,
    max: options.max,
    applicationName: options.applicationName,
    onError: (err) => options.log.warn({ err }, `a connection to database ${options.name} broke`),
  })
}

async function ensureDatabase(options: OpenDatabaseOptions): Promise<void> {
  const client = await connect(options)
  try {
    const { rows } = await client.query<{ version: number; exists: boolean }>(
      `select current_setting('server_version_num')::int as version,
              exists (select from pg_database where datname = $1) as exists`,
      [options.name],
    )
    const { version, exists } = rows[0]!
    if (version < OLDEST)
      throw new StartError(
        'PANDO_DATABASE',
        `${describe(client)} is version ${Math.floor(version / 10_000)}, but DATABASE_URL must lead to PostgreSQL 15 or newer.`,
      )
    if (!exists) await create(client, options.name)
  } finally {
    await client.end()
  }
}

async function create(client: pg.Client, name: string): Promise<void> {
  try {
    // template0, because template1 may have another encoding and whatever else was put into it.
    await client.query(`create database ${pg.escapeIdentifier(name)} template template0 encoding 'UTF8'`)
  } catch (err) {
    const state = stateOf(err)
    // duplicate_database, or the unique index on its name: another process was faster.
    if (state === '42P04' || state === '23505') return
    if (state === '42501')
      throw new StartError(
        'PANDO_DATABASE',
        `${describe(client)} does not let user ${client.user} create database ${name}: run "alter role … createdb" there or create that database.`,
        { cause: err },
      )
    throw err
  }
}

async function connect({
  clusterUrl,
  applicationName,
  log,
  signal,
  patienceMs = PATIENCE_MS,
}: OpenDatabaseOptions): Promise<pg.Client> {
  const deadline = Date.now() + patienceMs
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({
      connectionString: clusterUrl,
      application_name: applicationName,
      connectionTimeoutMillis: 5000,
    })
    // The statement that is under way fails as well; without a listener the process would.
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (err) {
      signal?.throwIfAborted()
      const isAway = isTransient(err) || (err as Error).message === 'timeout expired'
      if (!isAway || Date.now() > deadline) throw refusal(client, err, isAway)
      if (attempt === 1)
        log.warn(`${describe(client)} does not answer (${reason(err)}): waiting up to ${patienceMs / 1000} s for it`)
      await delay(PAUSE_MS, undefined, { signal })
    }
  }
}

function refusal(client: pg.Client, err: unknown, isAway: boolean): StartError {
  const message = isAway
    ? `${describe(client)} does not answer (${reason(err)}): start it or correct DATABASE_URL.`
    : `${describe(client)} refuses the connection (${reason(err)}): correct DATABASE_URL.`
  return new StartError('PANDO_DATABASE', message, { cause: err })
}

function describe(client: pg.Client): string {
  return `PostgreSQL at ${client.host}:${client.port}`
}

// A refused connection to `localhost` is an AggregateError: a code, and no message.
function reason(err: unknown): string {
  return (err as Error).message || String((err as NodeJS.ErrnoException).code)
}

function stateOf(err: unknown): string | undefined {
  return err instanceof pg.DatabaseError ? err.code : undefined
}
