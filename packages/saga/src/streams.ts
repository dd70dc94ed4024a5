import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import type { Database, Queryable } from './database.ts'
import { SagaError } from './errors.ts'
import type { Hub } from './hub.ts'
import { createHourly, type Running } from './loop.ts'
import { checkField } from './sse.ts'
import { transaction, type Tx } from './transaction.ts'
import type { Transport } from './transport.ts'
import { createWakes } from './wakes.ts'

/** How long events are kept, and a closed stream's head: longer than any log may still bring an event for it. */
const DAYS = { events: 7, closed: 30 }
const PURGE_AT_ONCE = 2_000

/** One event of a stream as it is stored; `data` is JSON text in one line. `last`: the stream has ended with it. */
export interface StoredEvent {
  seq: number
  type: string
  data: string
  last?: boolean
}

/** Where a stream stands: its newest event's seq (0: none yet), the oldest that is kept, and whether no more will come. */
export interface StreamHead {
  seq: number
  min: number
  ended: boolean
}

/**
 * What a hub reads streams from. Nothing in it can leak a database connection: each call takes one and gives it back.
 * `epoch` names this store's history; ids of another history are answered with a reset.
 */
export interface StreamSource {
  readonly epoch: string
  /** The heads of those streams that exist. */
  heads(streams: readonly string[]): Promise<Map<string, StreamHead>>
  /** Events after a seq, in order, without gaps, at most `limit`. */
  page(stream: string, after: number, limit: number): Promise<StoredEvent[]>
}

/** A place in a stream: after the event with this seq. */
export interface Cursor {
  epoch: string
  seq: number
}

const CURSOR = /^([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})$/

/** The place that an SSE id names; undefined for none. Throws SAGA_CURSOR for one that is malformed or longer than 64 characters. */
export function parseCursor(id: string | undefined): Cursor | undefined {
  if (id === undefined || id === '') return undefined
  const match = id.length <= 64 ? CURSOR.exec(id) : null
  if (!match) throw new SagaError('SAGA_CURSOR', 'the last event id must look like "<epoch>-<seq>"')
  return { epoch: match[1]!, seq: Number(match[2]) }
}

export const formatCursor = ({ epoch, seq }: Cursor): string => `${epoch}-${seq}`

/** The streams of a service: stored in its database, shown by the hub of its process, and told of to all others. */
export interface Streams extends Omit<Running, 'start'> {
  /** Of the hub; its epoch is known once these have started. */
  readonly source: StreamSource
  /**
   * Events for streams, in this order; when they are committed, all hubs are told. May be called often in a transaction: the events are
   * written together before its commit, so that heads are locked in one order. Throws RangeError for a type that cannot be sent.
   */
  append(tx: Tx, events: readonly NewStreamEvent[]): void
  /**
   * Closes streams for good, behind all that the transaction appends: what is stored of them goes with the next purge, nobody reads it
   * any more, and later events are dropped. When it is committed, what is open of them ends, in other processes within seconds.
   */
  close(tx: Tx, streams: readonly string[]): void
  /**
   * Locks streams to the commit, all that the transaction needs in one call and before anything else: what it reads from then on is as
   * the streams tell so far, and what it appends is the next they tell.
   */
  lock(tx: Tx, streams: readonly string[]): void
  /** The id of a stream's newest event, for a client to go on from. In a transaction of one snapshot it fits what else is read there. */
  cursorOf(db: Queryable, stream: string): Promise<string>
  /** Reads the epoch and begins to hear of other processes; call it when the worker has started, which migrates. */
  start(): Promise<void>
}

/** Names of streams must have no white space. Events are kept for 7 days. */
export function createStreams(options: {
  db: Database
  hub: Hub
  transport: Transport
  onError?: (error: Error) => void
}): Streams {
  const { db, hub, transport, onError = () => {} } = options
  let wakes: ReturnType<typeof createWakes> | undefined
  let epoch = ''
  const pending = new WeakMap<Tx, { events: NewStreamEvent[]; closing: string[] }>()
  const purging = createHourly({ task: () => purgeStreams(db, DAYS), onError })
  const source: StreamSource = {
    get epoch() {
      return epoch
    },
    ...readerOf(db),
  }

  /** What the transaction will write when all else in it is done, together. */
  function pendingOf(tx: Tx): { events: NewStreamEvent[]; closing: string[] } {
    let waiting = pending.get(tx)
    if (waiting) return waiting
    const { events, closing } = (waiting = { events: [], closing: [] })
    pending.set(tx, waiting)
    tx.beforeCommit(async () => {
      const placed = await appendToStreams(tx, events, closing)
      tx.afterCommit(() => {
        for (const { stream, event } of placed) hub.wake(stream, event.seq, event)
        wakes?.tellOthers(placed)
        for (const stream of closing) hub.close(stream)
      })
    })
    return waiting
  }

  async function stop(): Promise<void> {
    wakes?.stop()
    await purging.stop()
  }
  return {
    source,
    append(tx, events) {
      for (const { type } of events) checkField(type)
      pendingOf(tx).events.push(...events)
    },
    close(tx, streams) {
      pendingOf(tx).closing.push(...streams)
    },
    lock(tx, streams) {
      tx.send(
        `insert into saga.stream_head as h (stream, last_seq)
         select stream, 0 from unnest($1::text[]) with ordinality as e(stream, n) order by n
         on conflict (stream) do update set last_seq = h.last_seq`,
        [[...new Set(streams)].toSorted()],
      )
    },
    async cursorOf(from, stream) {
      const [head] = await from.query<{ seq: number }>(
        'select last_seq as seq from saga.stream_head where stream = $1',
        [stream],
      )
      return formatCursor({ epoch, seq: head?.seq ?? 0 })
    },
    async start() {
      epoch = await readEpoch(db)
      wakes = createWakes(hub, transport)
      purging.start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** An event for a stream: `data` is what JSON.stringify makes text of. */
export interface NewStreamEvent {
  stream: string
  type: string
  data: unknown
}

/** A committed stream event, for the hub's wake-up. */
export interface StreamedEvent {
  stream: string
  event: StoredEvent
}

/**
 * Appends events to streams in this transaction. The head rows are locked, in sorted order, to the commit: so the order of commits is
 * the order of seq, and a reader that has seen n misses nothing up to n. Returns the events with their seq, for wake-ups after the commit.
 * `closing` are closed behind them, for good. Events for a stream that is closed are dropped.
 * Call it once in a transaction: two calls lock in two orders. Throws RangeError for a type that cannot be sent, before anything is written.
 */
export async function appendToStreams(
  tx: Tx,
  events: readonly NewStreamEvent[],
  closing: readonly string[] = [],
): Promise<StreamedEvent[]> {
  if (events.length + closing.length === 0) return []
  for (const { type } of events) checkField(type)
  const counts = new Map(closing.map((stream) => [stream, 0]))
  for (const { stream } of events) counts.set(stream, (counts.get(stream) ?? 0) + 1)
  const streams = [...counts.keys()].toSorted()
  // Rows are inserted or updated one after the other in the order given, and stay locked.
  const heads = await tx.query<{ stream: string; last_seq: number }>(
    `insert into saga.stream_head as h (stream, last_seq)
     select stream, count from unnest($1::text[], $2::bigint[]) with ordinality as e(stream, count, n) order by n
     on conflict (stream) do update set last_seq = h.last_seq + excluded.last_seq where h.closed_at is null
     returning stream, last_seq`,
    [streams, plainArray(streams.map((stream) => counts.get(stream)!))],
  )
  const next = new Map(heads.map(({ stream, last_seq }) => [stream, last_seq - counts.get(stream)! + 1]))
  const texts = new Map<unknown, string>()
  const placed: StreamedEvent[] = []
  for (const { stream, type, data } of events) {
    const seq = next.get(stream)
    if (seq === undefined) continue
    next.set(stream, seq + 1)
    // What many are told is made text of once.
    let text = texts.get(data)
    if (text === undefined) texts.set(data, (text = JSON.stringify(data ?? null)))
    placed.push({ stream, event: { seq, type, data: text } })
  }
  if (placed.length > 0)
    tx.send(
      `insert into saga.stream_event (stream, seq, type, data)
       select * from unnest($1::text[], $2::bigint[], $3::text[], ${jsonArray(4)})`,
      [
        placed.map(({ stream }) => stream),
        plainArray(placed.map(({ event }) => event.seq)),
        placed.map(({ event }) => event.type),
        jsonTexts(placed.map(({ event }) => event.data)),
      ],
    )
  if (closing.length > 0)
    tx.send('update saga.stream_head set closed_at = now() where stream = any($1::text[]) and closed_at is null', [
      closing,
    ])
  return placed
}

/** Those of these streams that are closed. */
export async function closedAmong(db: Queryable, streams: readonly string[]): Promise<Set<string>> {
  const rows = await db.query<{ stream: string }>(
    'select stream from saga.stream_head where stream = any($1::text[]) and closed_at is not null',
    [streams],
  )
  return new Set(rows.map(({ stream }) => stream))
}

/** Deletes what is older than so many days and what is left of closed streams, some at a time, each in a transaction of its own. */
export async function purgeStreams(db: Database, days: { events: number; closed: number }): Promise<void> {
  // Streams whose events go are locked first, in the order in which everybody locks them.
  for (let gone = PURGE_AT_ONCE; gone === PURGE_AT_ONCE;)
    gone = await transaction(db, async (tx) => {
      const old = await tx.query<{ stream: string; seq: number }>(
        `select stream, seq from saga.stream_event where created_at < now() - make_interval(days => $1) limit ${PURGE_AT_ONCE}`,
        [days.events],
      )
      await remove(tx, old)
      return old.length
    })
  const closed = await db.query<{ stream: string }>(
    'select stream from saga.stream_head where closed_at is not null order by stream',
  )
  for (const { stream } of closed)
    for (let gone = PURGE_AT_ONCE; gone === PURGE_AT_ONCE;)
      gone = await transaction(db, async (tx) => {
        const rest = await tx.query<{ stream: string; seq: number }>(
          `select stream, seq from saga.stream_event where stream = $1 order by seq limit ${PURGE_AT_ONCE}`,
          [stream],
        )
        await remove(tx, rest)
        return rest.length
      })
  await db.query('delete from saga.stream_head where closed_at < now() - make_interval(days => $1)', [days.closed])
}

// A reader that comes for what is gone is told by min_seq. A clock that was set back may leave a few older events behind a newer one,
// which then goes with them.
async function remove(tx: Tx, events: readonly { stream: string; seq: number }[]): Promise<void> {
  if (events.length === 0) return
  const newest = new Map<string, number>()
  for (const { stream, seq } of events) newest.set(stream, Math.max(seq, newest.get(stream) ?? 0))
  const streams = [...newest.keys()].toSorted()
  const upTo = plainArray(streams.map((stream) => newest.get(stream)!))
  await tx.query('select from saga.stream_head where stream = any($1::text[]) order by stream for update', [streams])
  tx.send(
    `update saga.stream_head h set min_seq = g.seq + 1
     from unnest($1::text[], $2::bigint[]) g(stream, seq) where h.stream = g.stream and h.min_seq <= g.seq`,
    [streams, upTo],
  )
  tx.send(
    'delete from saga.stream_event e using unnest($1::text[], $2::bigint[]) g(stream, seq) where e.stream = g.stream and e.seq <= g.seq',
    [streams, upTo],
  )
}

/** What tells the ids of this database's streams from those of another. Throws SAGA_MIGRATION when there is none. */
export async function readEpoch(db: Queryable): Promise<string> {
  const [row] = await db.query<{ value: string }>('select value from saga.epoch')
  if (!row) throw new SagaError('SAGA_MIGRATION', 'saga.epoch is empty: run the migrations of this package')
  return row.value
}

/** The streams that appendToStreams wrote, as a source. A stream without a head row is an empty one; one that is closed does not exist. */
export async function createStreamSource(db: Database): Promise<StreamSource> {
  return { epoch: await readEpoch(db), ...readerOf(db) }
}

function readerOf(db: Queryable): Omit<StreamSource, 'epoch'> {
  return {
    async heads(streams) {
      const rows = await db.query<{ stream: string; last_seq: number; min_seq: number; closed: boolean }>(
        'select stream, last_seq, min_seq, closed_at is not null as closed from saga.stream_head where stream = any($1::text[])',
        [streams],
      )
      const heads = new Map<string, StreamHead>(streams.map((stream) => [stream, { seq: 0, min: 1, ended: false }]))
      for (const { stream, last_seq: seq, min_seq: min, closed } of rows)
        if (closed) heads.delete(stream)
        else heads.set(stream, { seq, min, ended: false })
      return heads
    },
    page: (stream, after, limit) =>
      db.query<StoredEvent>(
        'select seq, type, data from saga.stream_event where stream = $1 and seq > $2 order by seq limit $3',
        [stream, after, limit],
      ),
  }
}
