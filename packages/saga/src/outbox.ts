import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import type { Queryable } from './database.ts'
import { type Cause, envelopeOf, type Envelope, type NewEvent } from './event.ts'
import type { Tx } from './transaction.ts'

/** An event as it waits in the outbox: `body` is the envelope as JSON. */
export interface OutboxRow {
  id: string
  topic: string
  key: string
  type: string
  body: string
}

/**
 * Publishes an event: it exists if and only if the transaction commits. Call it after the statement that locks the row of the
 * aggregate that the event tells of: then the order of events of one key is the order of the commits.
 * `cause`: the event that this one answers, so that saga, chain and trace go on. Returns the envelope.
 */
export function append(tx: Tx, event: NewEvent, cause: Cause = {}): Envelope {
  const envelope = envelopeOf(event, Date.now(), cause)
  appendEnvelope(tx, event.kind.topic, envelope)
  return envelope
}

/** The same for an envelope that is made already. */
export function appendEnvelope(tx: Tx, topic: string, envelope: Envelope): void {
  tx.outbox.push({ id: envelope.id, topic, key: envelope.key, type: envelope.type, body: JSON.stringify(envelope) })
}

// The identity column has cache 1, and rows enter in the order of the arrays: seq grows as events were appended.
const INSERT = `
  insert into saga.outbox (id, topic, key, type, body)
  select id, topic, key, type, body
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], ${jsonArray(5)}) with ordinality as e(id, topic, key, type, body, n)
  order by n`

/** Writes the rows; the last statement of a transaction before its commit. */
export async function insertOutbox(tx: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await tx.query(INSERT, [
    plainArray(rows.map((row) => row.id)),
    rows.map((row) => row.topic),
    rows.map((row) => row.key),
    rows.map((row) => row.type),
    jsonTexts(rows.map((row) => row.body)),
  ])
}

/** The oldest unsent event's age in milliseconds, and how many wait (counted up to 100,000). */
export async function outboxLag(db: Queryable): Promise<{ rows: number; oldestMs: number }> {
  const [lag] = await db.query<{ rows: number; oldest: number | null }>(`
    select (select count(*) from (select from saga.outbox limit 100000) o) as rows,
           (select extract(epoch from clock_timestamp() - appended_at)::float8 * 1000 from saga.outbox order by seq limit 1) as oldest`)
  return { rows: lag?.rows ?? 0, oldestMs: Math.max(0, Math.round(lag?.oldest ?? 0)) }
}
