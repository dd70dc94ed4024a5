import type { PlacedRecord } from './transport.ts'

// So much of each partition: enough for readers that keep up, and little in all when the bodies are large.
const RECORDS = 2_000
const BODY_CHARACTERS = 256 * 1024

/** The newest records of a partition that this process has published itself: its own readers need no query for them. */
export interface Recent {
  add(record: PlacedRecord): void
  /** At most `count` records from this offset on; none when that one is not kept, which does not say that the log has none. */
  from(offset: number, count: number): readonly PlacedRecord[]
}

export function createRecent(): Recent {
  const records: PlacedRecord[] = []
  let characters = 0

  function drop(count: number): void {
    for (const { body } of records.splice(0, count)) characters -= body.length
  }

  return {
    add(record) {
      const next = (records.at(-1)?.offset ?? record.offset - 1) + 1
      // Two publishes at once may be answered in either order; what comes late is left to the log.
      if (record.offset < next) return
      // What lies between, another process has published.
      if (record.offset > next) drop(records.length)
      records.push(record)
      characters += record.body.length
      while (records.length > RECORDS || characters > BODY_CHARACTERS) drop(Math.ceil(records.length / 2))
    },
    from(offset, count) {
      const index = offset - (records[0]?.offset ?? Infinity)
      return index >= 0 ? records.slice(index, index + count) : []
    },
  }
}
