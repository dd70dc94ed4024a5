import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import type { Database } from './database.ts'
import { SagaError } from './errors.ts'
import { checkField } from './sse.ts'
import type { Tx } from './transaction.ts'

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
 * Call it once in a transaction: two calls lock in two orders. Throws RangeError for a type that cannot be sent, before anything is written.
 */
export async function appendToStreams(tx: Tx, events: readonly NewStreamEvent[]): Promise<StreamedEvent[]> {
  if (events.length === 0) return []
  for (const { type } of events) checkField(type)
  const counts = new Map<string, number>()
  for (const { stream } of events) counts.set(stream, (counts.get(stream) ?? 0) + 1)
  const streams = [...counts.keys()].toSorted()
  // Rows are inserted or updated one after the other in the order given, and stay locked.
  const heads = await tx.query<{ stream: string; last_seq: number }>(
    `insert into saga.stream_head as h (stream, last_seq)
     select stream, count from unnest($1::text[], $2::bigint[]) with ordinality as e(stream, count, n) order by n
     on conflict (stream) do update set last_seq = h.last_seq + excluded.last_seq
     returning stream, last_seq`,
    [streams, plainArray(streams.map((stream) => counts.get(stream)!))],
  )
  const next = new Map(heads.map(({ stream, last_seq }) => [stream, last_seq - counts.get(stream)! + 1]))
  const placed = events.map(({ stream, type, data }): StreamedEvent => {
    const seq = next.get(stream)!
    next.set(stream, seq + 1)
    return { stream, event: { seq, type, data: JSON.stringify(data ?? null) } }
  })
  await tx.query(
    `insert into saga.stream_event (stream, seq, type, data)
     select * from unnest($1::text[], $2::bigint[], $3::text[], ${jsonArray(4)})`,
    [
      placed.map(({ stream }) => stream),
      plainArray(placed.map(({ event }) => event.seq)),
      placed.map(({ event }) => event.type),
      jsonTexts(placed.map(({ event }) => event.data)),
    ],
  )
  return placed
}

/** The streams that appendToStreams wrote, as a source. A stream without a head row is an empty one. */
export async function createStreamSource(db: Database): Promise<StreamSource> {
  const [row] = await db.query<{ value: string }>('select value from saga.epoch')
  if (!row) throw new SagaError('SAGA_MIGRATION', 'saga.epoch is empty: run the migrations of this package')
  return {
    epoch: row.value,
    async heads(streams) {
      const rows = await db.query<{ stream: string; last_seq: number; min_seq: number }>(
        'select stream, last_seq, min_seq from saga.stream_head where stream = any($1::text[])',
        [streams],
      )
      const heads = new Map<string, StreamHead>(streams.map((stream) => [stream, { seq: 0, min: 1, ended: false }]))
      for (const head of rows) heads.set(head.stream, { seq: head.last_seq, min: head.min_seq, ended: false })
      return heads
    },
    page: (stream, after, limit) =>
      db.query<StoredEvent>(
        'select seq, type, data from saga.stream_event where stream = $1 and seq > $2 order by seq limit $3',
        [stream, after, limit],
      ),
  }
}
