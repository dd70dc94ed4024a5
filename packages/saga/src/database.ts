import type { Socket } from 'node:net'
import pg from 'pg'
import { asError, SagaError } from './errors.ts'

export type Row = Record<string, unknown>

/** What statements are sent to: a database, a transaction, a connection of one's own. Statements with values are prepared once per connection. */
export interface Queryable {
  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<R[]>
}

/** A connection of one's own: advisory locks and settings live as long as it does. `lost` resolves when it is gone, for whatever reason. */
export interface Connection extends Queryable {
  readonly lost: Promise<void>
  close(): Promise<void>
}

/** A connection for the time of one transaction; `release(true)` destroys it, and so does `release(false)` when it is no longer sound. */
export interface Leased extends Queryable {
  /** Throws SAGA_COMMIT_LOST when the server answers with a roll-back, as it does after a failed statement. */
  commit(): Promise<void>
  release(destroy: boolean): void
}

export interface Database extends Queryable {
  /** A connection that is not of the pool; `onNotification` gets the payloads of the channels it listens to. */
  connect(onNotification?: (payload: string) => void): Promise<Connection>
  /** A connection of the pool; waits while all are out. */
  lease(): Promise<Leased>
  /** Called after each commit that appended events: wakes this process's relay. */
  onAppended(listener: () => void): () => void
  appended(): void
  /** Tells `onError` of what no caller can be told any more. */
  report(error: Error): void
  /** Connections of the pool and those that wait for one; how often one was leased, and how long that took in all, since the start. */
  stats(): { total: number; idle: number; waiting: number; leases: number; leaseMs: number }
  close(): Promise<void>
}

export interface DatabaseOptions {
  connectionString: string
  /** Connections of the pool at most; default 5. */
  max?: number
  applicationName?: string
  /** Told of connections that break while idle; they are replaced by themselves. */
  onError?: (error: Error) => void
}

const INT8 = 20
// bigint as number: sequence numbers and offsets stay far below 2^53.
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

// One name for each statement text: PostgreSQL then plans it once per connection. All texts are constants of the code.
const names = new Map<string, string>()
function prepared(text: string): string {
  let name = names.get(text)
  if (name === undefined) names.set(text, (name = `s${names.size}`))
  return name
}

// What `pg` knows of a connection is right after an answer of the server. It is not after an error of its own (values that it could not
// write: it then believes a statement to be prepared that it has closed), nor when the server has given up a prepared statement (a table
// has changed under it): such a connection would fail with the same statement for ever.
const STALE_STATEMENT = /^(26000|0A000)$/
const isAnswer = (thrown: unknown): boolean =>
  thrown instanceof pg.DatabaseError && !STALE_STATEMENT.test(thrown.code ?? '')

// Statements sent in one turn of the event loop leave in one write: `begin` with the first statement, the last one with `commit`.
function coalesce(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  if (stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}

async function send<R>(client: pg.ClientBase | pg.Pool, text: string, values?: readonly unknown[]): Promise<R[]> {
  if (client instanceof pg.Client) coalesce(client)
  const result = values
    ? await client.query({ name: prepared(text), text, values: values as unknown[] })
    : await client.query(text)
  return result.rows as R[]
}

// A statement keeps the plan that it got while its tables were small, and small tables are scanned and hashed: `update … from unnest`
// was seen to read a whole table of sagas for one of them. What is sent here finds rows by their keys. That plan is made once for all
// values: for these ones would seem cheaper each time, since the server knows how many a row's arrays hold, and making it costs more
// than it saves (measured, one saga at a time: 7.9 ms instead of 6.1). (Such a plan locks all partitions of a table that it reads: so
// no open transaction should read one.)
const PLANNER =
  '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c plan_cache_mode=force_generic_plan'

/** Opens a pool on one database (`pg`, pipelined). Nothing is sent until the first statement. */
export function createDatabase(options: DatabaseOptions): Database {
  const settings = {
    connectionString: options.connectionString,
    application_name: options.applicationName ?? 'saga',
    types,
    options: PLANNER,
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 10_000,
  }
  let closing: Promise<void> | undefined
  const onError = (error: Error): void => {
    // The pool hangs the whole client on its errors, with what could cancel its queries.
    if ('client' in error) delete error.client
    // A server that is stopped behind us ends connections that we are about to end: no news.
    if (closing === undefined) options.onError?.(error)
  }
  const pool = new pg.Pool({ ...settings, max: options.max ?? 5, idleTimeoutMillis: 30_000 })
  pool.on('error', onError)
  const listeners = new Set<() => void>()
  const leased = { leases: 0, leaseMs: 0 }

  return {
    query: (text, values) => send(pool, text, values),

    async connect(onNotification) {
      const client = new pg.Client(settings)
      if (onNotification) client.on('notification', ({ payload }) => onNotification(payload ?? ''))
      const lost = new Promise<void>((resolve) => {
        client.on('error', (error) => {
          onError(error)
          resolve()
        })
        client.on('end', resolve)
      })
      await client.connect()
      return {
        query: (text, values) => send(client, text, values),
        lost,
        close: () => client.end().catch((thrown: unknown) => onError(asError(thrown))),
      }
    },

    async lease() {
      const asked = performance.now()
      const client = await new Promise<pg.PoolClient>((resolve, reject) => {
        pool.connect((error, ready) => {
          // Between checkout and release the pool does not listen; an error without a listener would end the process. At once, since
          // the answer that frees a connection and its end may come in one chunk.
          ready?.on('error', onError)
          if (ready) resolve(ready)
          else reject(error ?? new Error('the pool gave no connection'))
        })
      })
      leased.leases++
      leased.leaseMs += performance.now() - asked
      let sound = true
      return {
        async query(text, values) {
          try {
            return await send(client, text, values)
          } catch (thrown) {
            sound &&= isAnswer(thrown)
            throw thrown
          }
        },
        async commit() {
          const { command } = await client.query('commit')
          if (command !== 'COMMIT')
            throw new SagaError('SAGA_COMMIT_LOST', 'a statement of this transaction failed, so it was rolled back')
        },
        release(destroy) {
          client.removeListener('error', onError)
          client.release(destroy || !sound)
        },
      }
    },

    onAppended(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    appended() {
      for (const listener of listeners) listener()
    },
    report: (error) => options.onError?.(error),
    stats: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount, ...leased }),
    close: () => (closing ??= pool.end()),
  }
}
