import { plainArray } from './arrays.ts'
import type { Connection, Database } from './database.ts'
import { asError, isTransient } from './errors.ts'
import { createBell, createLoop, type Running } from './loop.ts'
import type { OutboxRow } from './outbox.ts'
import type { Transport } from './transport.ts'

// One relay empties one outbox: it takes the oldest rows, publishes them, and deletes exactly those. Reading from the head needs no
// cursor, so nothing that commits late can be skipped. Events of a key enter the outbox in the order of their commits, so they leave
// in it. Leadership (an advisory lock on the relay's own connection) is for economy: two relays at once publish repeats, in order,
// which the inbox of the reader removes.

const LOCK = `hashtext('saga.relay')`
const FOLLOWER_MS = 1_000
const IDLE_MS = 500
const LAST_HOLD_MS = 30_000

const DELETE = 'delete from saga.outbox where seq = any($1::bigint[])'

type HeadRow = OutboxRow & { seq: number }

export interface Relay extends Running {
  stats(): { published: number; held: number; leader: boolean }
}

/** A relay from the outbox in `db` to `transport`; `batch` rows at a time. Errors go to `onError` and are retried for ever. */
export function createRelay(options: {
  db: Database
  transport: Pick<Transport, 'publish'>
  batch?: number
  onError?: (error: Error) => void
}): Relay {
  const { db, transport, batch = 1000, onError = () => {} } = options
  const bell = createBell()
  const held = new Map<string, { until: number; ms: number }>()
  let connection: Connection | undefined
  let leader = false
  let published = 0
  const unlisten = db.onAppended(bell.ring)

  async function lead(): Promise<Connection | undefined> {
    if (!connection) {
      connection = await db.connect()
      // After a vacuum of a bloated outbox the planner would prefer a sequential scan and a sort (measured: 460 times the pages).
      await connection.query('set enable_seqscan = off')
    }
    const [lock] = await connection.query<{ ok: boolean }>(`select pg_try_advisory_lock(1, ${LOCK}) as ok`)
    leader = lock?.ok ?? false
    return leader ? connection : undefined
  }

  async function turn(stopping: () => boolean): Promise<void> {
    try {
      const leading = await lead()
      if (!leading) return await bell.wait(FOLLOWER_MS)
      let deleted: Promise<unknown> | undefined
      while (!stopping()) {
        // The deletion of the last rows and the look at the next ones travel together.
        const rows = await head(leading)
        await deleted
        const done = rows.length > 0 ? await publish(rows) : []
        deleted = done.length > 0 ? leading.query(DELETE, [plainArray(done.map((row) => row.seq))]) : undefined
        deleted?.catch(() => {})
        if (rows.length < batch) await bell.wait(nextWait())
      }
      await deleted
    } catch (thrown) {
      await close()
      throw thrown
    }
  }

  async function head(leading: Connection): Promise<HeadRow[]> {
    const now = Date.now()
    const waiting = [...held].filter(([, hold]) => hold.until > now).map(([key]) => key)
    return waiting.length === 0
      ? leading.query<HeadRow>('select seq, id, topic, key, type, body from saga.outbox order by seq limit $1', [batch])
      : leading.query<HeadRow>(
          'select seq, id, topic, key, type, body from saga.outbox where key <> all($2::text[]) order by seq limit $1',
          [batch, waiting],
        )
  }

  /** Publishes all, or, when the log refuses one of them for good, key by key. Returns what is in the log. */
  async function publish(rows: readonly HeadRow[]): Promise<readonly HeadRow[]> {
    try {
      await transport.publish(rows)
      published += rows.length
      if (held.size > 0) for (const row of rows) held.delete(row.key)
      return rows
    } catch (thrown) {
      if (isTransient(thrown)) throw thrown
      const keys = Map.groupBy(rows, (row) => row.key)
      if (keys.size === 1) {
        hold(rows[0]!.key, asError(thrown))
        return []
      }
      const done: HeadRow[] = []
      for (const group of keys.values()) done.push(...(await publish(group)))
      return done
    }
  }

  function hold(key: string, error: Error): void {
    const ms = Math.min(LAST_HOLD_MS, (held.get(key)?.ms ?? 250) * 2)
    held.set(key, { until: Date.now() + ms, ms })
    onError(new Error(`the log refuses an event of key "${key}"; it is held back and tried again in ${ms} ms`, { cause: error }))
  }

  const nextWait = (): number =>
    Math.max(1, Math.min(IDLE_MS, ...[...held.values()].map((hold) => hold.until - Date.now())))

  async function close(): Promise<void> {
    leader = false
    const closing = connection
    connection = undefined
    await closing?.close()
  }

  const loop = createLoop({ turn, bell, onError, end: close })
  const stop = async (): Promise<void> => {
    unlisten()
    await loop.stop()
  }
  return { start: loop.start, stop, [Symbol.asyncDispose]: stop, stats: () => ({ published, held: held.size, leader }) }
}
