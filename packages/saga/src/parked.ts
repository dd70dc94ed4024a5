import type { Queryable } from './database.ts'
import { SagaError } from './errors.ts'
import { isEventId } from './inbox.ts'
import { plainArray } from './arrays.ts'
import type { Failed } from './received.ts'
import type { Tx } from './transaction.ts'
import type { PlacedRecord } from './transport.ts'

/** A parked event on its way back. */
export type ParkedEvent = PlacedRecord & {
  /** How often it has failed; 0 for one that only waited for those before it. */
  attempts: number
  /** Whether others of its key wait behind it. */
  more: boolean
}

/** Text as PostgreSQL can hold it: without U+0000. What could not be stored could not be parked either, and would stop its lane. */
export const storable = (text: string): string => text.replaceAll('\0', '\ufffd')

/** A parked key as people see it; `events` in order, the first is the one that failed. */
export interface ParkedKey {
  key: string
  since: Date
  error: string
  attempts: number
  events: { id: string; type: string; time: string | null; data: unknown }[]
}

/** Parks the keys of records that failed `attempts` times. The records themselves are left to `addToParked`. */
export async function park(tx: Tx, failed: readonly Failed[], attempts: number): Promise<void> {
  await tx.query(
    // Parked already: only by another instance that believes to own the lane too. Then this is one of the later ones.
    `insert into saga.parked_key (key, error, attempts)
     select key, error, $3::int from unnest($1::text[], $2::text[]) e(key, error)
     on conflict (key) do update set attempts = parked_key.attempts`,
    [failed.map(({ record }) => record.key), failed.map(({ error }) => storable(error.message)), attempts],
  )
}

/** Puts records of parked keys behind those that are there. */
export async function addToParked(tx: Tx, records: readonly PlacedRecord[]): Promise<void> {
  await tx.query(
    `insert into saga.parked_event (key, id, topic, partition, "offset", type, body)
     select key, id, topic, partition, "offset", type, body
     from unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[])
       with ordinality as e(key, id, topic, partition, "offset", type, body, n)
     order by n`,
    [
      records.map((record) => record.key),
      plainArray(records.map((record) => (isEventId(record.id) ? record.id : 'null'))),
      records.map((record) => record.topic),
      plainArray(records.map((record) => record.partition)),
      plainArray(records.map((record) => record.offset)),
      records.map((record) => record.type),
      records.map((record) => storable(record.body)),
    ],
  )
}

/**
 * Takes the first parked event of a key out of the table, in this transaction; with the last one the key is free again. The key's
 * row stays locked, so new events of the key wait. Throws SAGA_NOT_PARKED for a key that is not parked.
 */
export async function takeParked(tx: Tx, key: string): Promise<ParkedEvent | undefined> {
  const { attempts } = await lockKey(tx, key)
  const [event] = await tx.query<PlacedRecord>(
    `delete from saga.parked_event where seq = (select min(seq) from saga.parked_event where key = $1)
     returning key, coalesce(id::text, '') as id, topic, partition, "offset", type, body`,
    [key],
  )
  const freed = await tx.query(
    'delete from saga.parked_key where key = $1 and not exists (select from saga.parked_event where key = $1) returning 1',
    [key],
  )
  const more = freed.length === 0
  if (more) tx.send('update saga.parked_key set attempts = 0 where key = $1', [key])
  return event && { ...event, attempts, more }
}

/** Writes down that the first parked event of a key failed once more. */
export async function noteFailure(db: Queryable, key: string, error: Error): Promise<void> {
  await db.query('update saga.parked_key set attempts = attempts + 1, error = $2 where key = $1', [
    key,
    storable(error.message),
  ])
}

/** Gives up all parked events of a key and frees it; they are kept in saga.discarded_event with the reason. Resolves with how many. Throws SAGA_NOT_PARKED. */
export async function discardParked(tx: Tx, key: string, reason: string): Promise<number> {
  const { error } = await lockKey(tx, key)
  const gone = await tx.query(
    `with gone as (delete from saga.parked_event where key = $1 returning *)
     insert into saga.discarded_event (seq, key, topic, partition, "offset", body, error, reason)
     select seq, key, topic, partition, "offset", body, $2, $3 from gone returning seq`,
    [key, error, reason],
  )
  await tx.query('delete from saga.parked_key where key = $1', [key])
  return gone.length
}

/** How many keys are parked, and how many events of theirs (each counted up to 100,000). */
export async function countParked(db: Queryable): Promise<{ keys: number; events: number }> {
  const [count] = await db.query<{ keys: number; events: number }>(`
    select (select count(*) from (select from saga.parked_key limit 100000) k) as keys,
           (select count(*) from (select from saga.parked_event limit 100000) e) as events`)
  return count!
}

async function lockKey(tx: Tx, key: string): Promise<{ error: string; attempts: number }> {
  const [parked] = await tx.query<{ error: string; attempts: number }>(
    'select error, attempts from saga.parked_key where key = $1 for update',
    [key],
  )
  if (!parked) throw new SagaError('SAGA_NOT_PARKED', `key "${key}" is not parked`)
  return parked
}

/**
 * Parked keys, oldest first (to the millisecond, then by key), each with at most its first 100 events; at most 1,000 keys, or `limit`.
 * `from`: only those that are parked since then or later, and of that very millisecond only those behind the key `after`.
 */
export async function listParked(
  db: Queryable,
  { limit = 1_000, from, after }: { limit?: number; from?: Date | undefined; after?: string | undefined } = {},
): Promise<ParkedKey[]> {
  const keys = await db.query<Omit<ParkedKey, 'events'>>(
    `select key, at as since, error, attempts
     from saga.parked_key, date_trunc('milliseconds', since) at
     where $1::timestamptz is null or at > $1 or (at = $1 and ($2::text is null or key collate "C" > $2))
     order by at, key collate "C" limit $3`,
    [from ?? null, after ?? null, limit],
  )
  const events = await db.query<{ key: string; id: string; type: string; body: string }>(
    `select e.key, coalesce(e.id::text, '') as id, e.type, e.body from saga.parked_key k
     cross join lateral (select * from saga.parked_event e where e.key = k.key order by seq limit 100) e
     where k.key = any($1::text[]) order by e.key, e.seq`,
    [keys.map(({ key }) => key)],
  )
  const byKey = Map.groupBy(events, (event) => event.key)
  return keys.map((parked) => ({ ...parked, events: (byKey.get(parked.key) ?? []).map(shown) }))
}

function shown(event: { id: string; type: string; body: string }): ParkedKey['events'][number] {
  try {
    const { time, data }: { time?: string; data?: unknown } = JSON.parse(event.body)
    return { id: event.id, type: event.type, time: time ?? null, data: data ?? null }
  } catch {
    return { id: event.id, type: event.type, time: null, data: event.body }
  }
}
