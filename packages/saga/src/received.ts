import { asError, SagaError } from './errors.ts'
import type { Received } from './event.ts'
import { isEventId } from './inbox.ts'
import { nameOf, type ReactionTable } from './reaction.ts'
import type { PlacedRecord } from './transport.ts'

/** What becomes of a batch's records. */
export interface Sorted {
  /** To be reacted to, in order. */
  events: Received[]
  /** To be put behind what is parked of their keys, in order. */
  waiting: PlacedRecord[]
  /** Those that park their keys; the first of `waiting` for each. */
  failed: Failed[]
  /** How many can neither be read nor, since they have no key, be parked. */
  lost: number
}
export interface Failed {
  record: PlacedRecord
  error: Error
}

/**
 * Reads fresh records. One that cannot be read parks its key then and there, as no second try would read it: it and the key's later
 * ones wait. `failure`: why these records are to be parked although they can be read.
 */
export function sortRecords(
  fresh: readonly PlacedRecord[],
  parked: ReadonlySet<string>,
  read: (record: PlacedRecord) => Received,
  failure?: Error,
): Sorted {
  const sorted: Sorted = { events: [], waiting: [], failed: [], lost: 0 }
  const closed = new Set(parked)
  for (const record of fresh) {
    if (!closed.has(record.key)) {
      try {
        if (failure) throw failure
        sorted.events.push(read(record))
        continue
      } catch (thrown) {
        if (record.key === '' && !failure) {
          sorted.lost++
          continue
        }
        closed.add(record.key)
        sorted.failed.push({ record, error: asError(thrown) })
      }
    }
    sorted.waiting.push(record)
  }
  return sorted
}

/**
 * The event that a record holds, on its `tries`-th try. Throws SAGA_EVENT_UNREADABLE for what is no envelope or of a version that
 * `table` does not know, SAGA_EVENT_INVALID for data that does not fit.
 */
export function readEvent(record: PlacedRecord, table: ReactionTable, tries: number): Received {
  const unreadable = (why: string, cause?: unknown): SagaError =>
    new SagaError('SAGA_EVENT_UNREADABLE', `${placeOf(record)}: ${why}`, { cause })
  if (!isEventId(record.id)) throw unreadable(`its id "${record.id}" is not a UUID in lower case`)
  let envelope: Received | null
  try {
    envelope = JSON.parse(record.body)
  } catch (cause) {
    throw unreadable('the record is no JSON', cause)
  }
  if (envelope?.type !== record.type) throw unreadable('the record is no envelope of this type')
  const entry = table.get(nameOf(envelope))
  if (!entry)
    throw unreadable(`version ${envelope.version} is not known here; upgrade this service, then redrive the key`)
  const { id, key, topic, partition, offset } = record
  return { ...envelope, data: entry.kind.parse(envelope.data), id, key, topic, partition, offset, tries }
}

/** Where a record stands, for messages. */
export const placeOf = (record: PlacedRecord): string =>
  `${record.type} at ${record.topic}/${record.partition}/${record.offset}`
