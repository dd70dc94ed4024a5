import { plainArray } from './arrays.ts'
import { dayOfId } from './days.ts'
import { SagaError } from './errors.ts'
import type { Tx } from './transaction.ts'
import type { PlacedRecord } from './transport.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether an id is as the inbox writes it. In another spelling a repeat would not be known again. */
export const isEventId = (id: string): boolean => UUID.test(id)

/** How far a partition of a topic has been read. */
export interface Move {
  topic: string
  partition: number
  old: number
  next: number
}

// One round trip: the positions move from where this process believes they are, the ids enter the inbox, and parked keys are found.
const ACCEPT = `
  with moved as (
    update saga.position p set next = m.next
    from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) m(topic, partition, old, next)
    where p.topic = m.topic and p.partition = m.partition and p.next = m.old
    returning 1),
  fresh as (
    insert into saga.inbox (day, id) select * from unnest($5::int[], $6::uuid[]) on conflict do nothing returning id)
  select (select count(*) from moved) as moved,
         (select count(*) from fresh) as fresh,
         case when (select count(*) from fresh) < cardinality($6::uuid[]) then (select array_agg(id) from fresh) end as ids,
         (select array_agg(key) from saga.parked_key where key = any($7::text[])) as parked`

/**
 * Takes records into this transaction: moves the positions, and returns the records whose effect is not here yet, each once, in
 * order, together with those of their keys that are parked (locked, so that a redrive waits). What has no UUID for an id is fresh
 * each time. Throws SAGA_FENCED when another instance has moved a position: then nothing of this transaction may stay.
 */
export async function accept(
  tx: Tx,
  moves: readonly Move[],
  records: readonly PlacedRecord[],
): Promise<{ fresh: PlacedRecord[]; parked: Set<string> }> {
  // A relay's repeat has another offset but the same id; two in one batch must not meet in the insert.
  const byId = new Map<string, PlacedRecord>()
  for (const record of records) if (!byId.has(record.id)) byId.set(record.id, record)
  const ids = [...byId.keys()].filter(isEventId)
  const [row] = await tx.query<{ moved: number; fresh: number; ids: string[] | null; parked: string[] | null }>(
    ACCEPT,
    [
      moves.map((move) => move.topic),
      plainArray(moves.map((move) => move.partition)),
      plainArray(moves.map((move) => move.old)),
      plainArray(moves.map((move) => move.next)),
      plainArray(ids.map(dayOfId)),
      plainArray(ids),
      [...new Set(records.map((record) => record.key))],
    ],
  )
  if (row!.moved !== moves.length)
    throw new SagaError('SAGA_FENCED', 'another instance has moved a position of this batch')
  const kept = row!.fresh === ids.length ? undefined : new Set(row!.ids ?? [])
  const fresh = [...byId.values()].filter(
    (record) => kept === undefined || kept.has(record.id) || !isEventId(record.id),
  )
  return { fresh, parked: row!.parked ? await lockParked(tx, row!.parked) : new Set() }
}

async function lockParked(tx: Tx, keys: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ key: string }>(
    'select key from saga.parked_key where key = any($1::text[]) order by key for update',
    [keys],
  )
  return new Set(rows.map((row) => row.key))
}
