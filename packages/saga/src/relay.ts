import { plainArray } from './arrays.ts'
import type { Connection, Database } from './database.ts'
import { asError, isTransient } from './errors.ts'
import { createBell, createLoop, type Running } from './loop.ts'
import type { OutboxRow } from './outbox.ts'
import { type Subject, type Trace, traced, traceparentIn } from './trace.ts'
import type { Transport } from './transport.ts'

// One relay empties one outbox: it takes the oldest rows, publishes them, and deletes exactly those. Reading from the head needs no
// cursor, so nothing that commits late can be skipped. Events of a key enter the outbox in the order of their commits, so they leave
// in it. Leadership (an advisory lock on the relay's own connection) is for economy: two relays at once publish repeats, in order,
// which the inbox of the reader removes. Followers tell the leader of their process's commits by a hint; should it be lost, the leader
// looks anyway, every second.

const LOCK = `hashtext('saga.relay')`
const FOLLOWER_MS = 1_000
const IDLE_MS = 1_000
const FIRST_HOLD_MS = 500
const LAST_HOLD_MS = 30_000
/** How long stop() may go on with a backlog; what is left then leaves with the next leader. */
const LAST_LOOKS_MS = 2_000

const DELETE = 'delete from saga.outbox where seq = any($1::bigint[])'

type HeadRow = OutboxRow & { seq: number }

const subjectOf = ({ id, topic, type, body }: HeadRow): Subject => ({
  id,
  topic,
  type,
  traceparent: traceparentIn(body),
})

export interface Relay extends Running {
  /** `published` since the start; `held`: keys of which the log refuses an event. */
  stats(): { published: number; held: number; leader: boolean }
}

/**
 * A relay from the outbox in `db` to `transport`; `batch` rows at a time. Errors go to `onError` and are retried for ever. stop() sends
 * what was committed before it was called.
 */
export function createRelay(options: {
  db: Database
  transport: Pick<Transport, 'publish'> & Partial<Pick<Transport, 'hint' | 'onHint'>>
  batch?: number
  onError?: (error: Error) => void
  trace?: Trace | undefined
}): Relay {
  const { db, transport, batch = 1000, onError = () => {}, trace } = options
  const bell = createBell()
  /** Keys that wait for their next try: until when, and how long they then waited. */
  const held = new Map<string, { until: number; ms: number }>()
  let connection: Connection | undefined
  let leader = false
  let published = 0
  let hint: string | undefined
  let appended = false
  const unlisten = [
    db.onAppended(() => {
      appended = true
      bell.ring()
    }),
    transport.onHint?.((text) => {
      if (leader && text === hint) bell.ring()
    }),
  ]

  async function lead(): Promise<Connection | undefined> {
    if (!connection) {
      connection = await db.connect()
      // After a vacuum of a bloated outbox the planner would prefer a sequential scan and a sort (measured: 460 times the pages).
      await connection.query('set enable_seqscan = off')
      const [epoch] = await connection.query<{ value: string }>('select value from saga.epoch')
      hint = `relay ${epoch?.value}`
    }
    const [lock] = await connection.query<{ ok: boolean }>(`select pg_try_advisory_lock(1, ${LOCK}) as ok`)
    leader = lock?.ok ?? false
    return leader ? connection : undefined
  }

  async function turn(stopping: () => boolean): Promise<void> {
    try {
      const leading = await lead()
      await (leading ? empty(leading, stopping) : follow())
    } catch (thrown) {
      await close()
      throw thrown
    }
  }

  async function follow(): Promise<void> {
    await bell.wait(FOLLOWER_MS)
    if (appended && hint !== undefined) transport.hint?.(hint)
    appended = false
  }

  async function empty(leading: Connection, stopping: () => boolean): Promise<void> {
    let deleted: Promise<unknown> | undefined
    let lastLook = Infinity
    for (;;) {
      // Before the look: what was committed before stop() was called is in it.
      if (stopping()) lastLook = Math.min(lastLook, Date.now() + LAST_LOOKS_MS)
      const looked = Date.now()
      // The deletion of the last rows and the look at the next ones travel together.
      const rows = await head(leading, looked)
      await deleted
      const done = await publish(rows, new Set())
      deleted = done.length > 0 ? leading.query(DELETE, [plainArray(done.map((row) => row.seq))]) : undefined
      deleted?.catch(() => {})
      // Those had their turn, and were not held back again, or are gone from the outbox.
      for (const [key, hold] of held) if (hold.until <= looked) held.delete(key)
      if (rows.length === batch && Date.now() < lastLook) continue
      if (lastLook < Infinity) break
      await bell.wait(nextWait())
    }
    await deleted
  }

  async function head(leading: Connection, now: number): Promise<HeadRow[]> {
    const waiting = [...held].filter(([, hold]) => hold.until > now).map(([key]) => key)
    return waiting.length === 0
      ? leading.query<HeadRow>('select seq, id, topic, key, type, body from saga.outbox order by seq limit $1', [batch])
      : leading.query<HeadRow>(
          'select seq, id, topic, key, type, body from saga.outbox where key <> all($2::text[]) order by seq limit $1',
          [batch, waiting],
        )
  }

  /**
   * Publishes rows in order. When the log refuses some for good, halves find them: their keys are added to `refused`, and what follows
   * of those keys stays behind. Returns what is in the log. Throws when the log cannot be had.
   */
  async function publish(rows: readonly HeadRow[], refused: Set<string>): Promise<readonly HeadRow[]> {
    const free = refused.size === 0 ? rows : rows.filter((row) => !refused.has(row.key))
    if (free.length === 0) return []
    try {
      await traced(trace, (spans) => {
        spans?.begin('publish', free.map(subjectOf))
        return transport.publish(free)
      })
      published += free.length
      return free
    } catch (thrown) {
      if (isTransient(thrown)) throw thrown
      if (free.length === 1) {
        refused.add(free[0]!.key)
        hold(free[0]!, asError(thrown))
        return []
      }
      const half = free.length >> 1
      const first = await publish(free.slice(0, half), refused)
      return [...first, ...(await publish(free.slice(half), refused))]
    }
  }

  function hold({ key, type, id }: HeadRow, cause: Error): void {
    const before = held.get(key)
    const ms = before ? Math.min(LAST_HOLD_MS, before.ms * 2) : FIRST_HOLD_MS
    held.set(key, { until: Date.now() + ms, ms })
    onError(
      new Error(`the log refuses ${type} ${id}; its key "${key}" is held back and tried again in ${ms} ms`, { cause }),
    )
  }

  function nextWait(): number {
    const now = Date.now()
    return Math.max(1, Math.min(IDLE_MS, ...[...held.values()].map((hold) => hold.until - now)))
  }

  async function close(): Promise<void> {
    leader = false
    const closing = connection
    connection = undefined
    await closing?.close()
  }

  const loop = createLoop({ turn, bell, onError, end: close })
  const stop = async (): Promise<void> => {
    await loop.stop()
    for (const end of unlisten) end?.()
  }
  return { start: loop.start, stop, [Symbol.asyncDispose]: stop, stats: () => ({ published, held: held.size, leader }) }
}
