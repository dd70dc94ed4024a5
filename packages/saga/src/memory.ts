import { SagaError } from './errors.ts'
import { partitionOf } from './partition.ts'
import { createReader } from './reader.ts'
import type { LogReader, LogRecord, PlacedRecord, TopicState, Transport, Want } from './transport.ts'

/** What a memory transport does wrong on purpose. Each is a function so that a seeded generator decides. */
export interface Faults {
  /** Whether this record is written twice (a relay that crashed before it deleted). */
  repeat?: (record: LogRecord) => boolean
  /** Whether this publish fails, after writing nothing ('before') or everything ('after'). */
  fail?: (records: readonly LogRecord[]) => 'before' | 'after' | undefined
  /** How many of the records that are there this poll may see; a smaller number is a slower network. */
  visible?: (there: number) => number
  /** Whether a hint is lost. */
  loseHint?: () => boolean
}

/** A log in this process's memory: for tests and simulations. Give the same `shared` log to several transports to make several "processes". */
export function createMemoryTransport(options: { faults?: Faults; shared?: MemoryLog } = {}): Transport {
  const { faults = {}, shared = createMemoryLog() } = options
  const listeners = new Set<(text: string) => void>()
  const readers = new Set<LogReader>()
  shared.members.add(listeners)

  function place(record: LogRecord): void {
    const partitions = shared.topics.get(record.topic)
    if (!partitions) throw new SagaError('SAGA_DEFINITION', `topic "${record.topic}" was not ensured`)
    const partition = partitionOf(record.key, partitions.length)
    const log = partitions[partition]!
    log.push({
      id: record.id,
      topic: record.topic,
      key: record.key,
      type: record.type,
      body: record.body,
      partition,
      offset: log.length,
    })
  }

  return {
    async ensureTopics(topics, partitions) {
      const states = new Map<string, TopicState>()
      for (const topic of topics) {
        const known = shared.topics.get(topic) ?? Array.from({ length: partitions }, () => [])
        if (known.length !== partitions)
          throw new SagaError(
            'SAGA_PARTITIONS_CHANGED',
            `topic "${topic}" has ${known.length} partitions, not ${partitions}`,
          )
        shared.topics.set(topic, known)
        states.set(topic, { logId: shared.id, first: known.map(() => 0) })
      }
      return states
    },

    async publish(records) {
      const failure = faults.fail?.(records)
      if (failure === 'before') throw lost()
      for (const record of records) {
        place(record)
        if (faults.repeat?.(record)) place(record)
      }
      for (const news of shared.readers) news()
      if (failure === 'after') throw lost()
    },

    reader() {
      let turn = 0
      const reader = createReader(read, () => {
        shared.readers.delete(reader.news)
        readers.delete(reader)
      })
      shared.readers.add(reader.news)
      readers.add(reader)
      return reader

      function read(wants: readonly Want[], max: number): PlacedRecord[] {
        const found: PlacedRecord[] = []
        // Another partition is first each time, so that one with a backlog does not keep the others waiting.
        const from = wants.length === 0 ? 0 : turn++ % wants.length
        for (const want of [...wants.slice(from), ...wants.slice(0, from)]) {
          const log = shared.topics.get(want.topic)?.[want.partition]
          if (!log) throw new SagaError('SAGA_DEFINITION', `topic "${want.topic}" was not ensured`)
          if (want.next < 0 || want.next > log.length)
            throw new SagaError(
              'SAGA_OFFSET_OUT_OF_LOG',
              `${want.topic}/${want.partition} has no offset ${want.next}`,
              {
                partition: want.partition,
              },
            )
          const there = Math.min(log.length - want.next, max - found.length)
          const seen = faults.visible ? Math.min(there, faults.visible(there)) : there
          found.push(...log.slice(want.next, want.next + seen))
        }
        return found
      }
    },

    hint(text) {
      for (const member of shared.members)
        if (member !== listeners && !faults.loseHint?.())
          for (const listener of member) queueMicrotask(() => listener(text))
    },
    onHint(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async locate({ topic, partition, id }) {
      const at = shared.topics.get(topic)?.[partition]?.findIndex((record) => record.id === id) ?? -1
      return at < 0 ? undefined : at
    },
    async ends(topics) {
      return new Map(topics.map((topic) => [topic, (shared.topics.get(topic) ?? []).map((log) => log.length)]))
    },
    async ping() {},
    async close() {
      shared.members.delete(listeners)
      await Promise.all([...readers].map((reader) => reader.close()))
    },
  }
}

/** The records themselves; what several memory transports share. */
export interface MemoryLog {
  readonly id: string
  readonly topics: Map<string, PlacedRecord[][]>
  readonly readers: Set<() => void>
  readonly members: Set<Set<(text: string) => void>>
}

export function createMemoryLog(): MemoryLog {
  return {
    id: `memory-${Math.random().toString(36).slice(2)}`,
    topics: new Map(),
    readers: new Set(),
    members: new Set(),
  }
}

const lost = (): Error => Object.assign(new Error('the connection to the log was lost'), { code: 'ECONNRESET' })
