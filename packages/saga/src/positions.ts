import type { Database } from './database.ts'
import { SagaError } from './errors.ts'
import type { Move } from './inbox.ts'
import type { PlacedRecord, Transport, Want } from './transport.ts'

/** Where a partition is read next, and what the database knows of it: less, while only events of no concern went by. */
interface Position extends Want {
  saved: number
}

/** The positions of a consumer in the log: in memory, as its lanes need them, and in the database. */
export interface Positions {
  /** Makes missing topics and positions. Rejects with SAGA_LOG_CHANGED when a position was made on another log. */
  prepare(): Promise<void>
  /** Reads those of these lanes from the database, and forgets all others. */
  load(lanes: ReadonlySet<number>): Promise<void>
  /** Whether one is in memory for each topic in so many lanes. */
  cover(lanes: number): boolean
  wants(): Want[]
  /** The next offset, if it is in memory. */
  at(topic: string, partition: number): number | undefined
  /** How the positions move past these records, from what the database knows. */
  past(records: readonly PlacedRecord[]): Move[]
  /** The moves that the database does not know of. */
  unsaved(): Move[]
  /** Moves on in memory; `saved`: in the database too, that is done. */
  advance(moves: readonly Move[], saved: boolean): void
  /** How far those in the database are behind the ends of the log. */
  lag(): Promise<(Want & { behind: number })[]>
}

/** The positions in all partitions of `topics`. */
export function createPositions(options: {
  db: Database
  transport: Transport
  topics: readonly string[]
  partitions: number
}): Positions {
  const { db, transport, topics, partitions } = options
  const positions = new Map<string, Position>()
  const stored = (): Promise<Want[]> =>
    db.query<Want>(
      'select topic, partition, next from saga.position where topic = any($1::text[]) order by topic, partition',
      [topics],
    )

  return {
    async prepare() {
      const states = await transport.ensureTopics(topics, partitions)
      const all = topics.flatMap((topic) => {
        const state = states.get(topic)!
        return state.first.map((next, partition) => ({ topic, partition, next, logId: state.logId }))
      })
      // Only the missing ones: a conflict would wait for another instance's running batch.
      await db.query(
        `insert into saga.position (topic, partition, next, log_id)
         select * from unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) n(topic, partition, next, log_id)
         where not exists (select from saga.position p where p.topic = n.topic and p.partition = n.partition)
         on conflict do nothing`,
        [all.map((p) => p.topic), all.map((p) => p.partition), all.map((p) => p.next), all.map((p) => p.logId)],
      )
      const rows = await db.query<{ topic: string; log_id: string }>(
        'select topic, log_id from saga.position where topic = any($1::text[])',
        [topics],
      )
      const changed = rows.find((row) => row.log_id !== states.get(row.topic)!.logId)
      if (changed)
        throw new SagaError(
          'SAGA_LOG_CHANGED',
          `the position in topic "${changed.topic}" belongs to another log (${changed.log_id}, now ${states.get(changed.topic)!.logId}): ` +
            'connect to the log it was made on, or delete the rows of saga.position on purpose to start at the beginning of this one',
        )
    },

    async load(lanes) {
      const rows = await stored()
      positions.clear()
      for (const row of rows) if (lanes.has(row.partition)) positions.set(nameOf(row), { ...row, saved: row.next })
    },
    cover: (lanes) => positions.size === lanes * topics.length,
    wants: () => [...positions.values()],
    at: (topic, partition) => positions.get(nameOf({ topic, partition }))?.next,

    past(records) {
      const moves = new Map<string, Move>()
      for (const record of records) {
        const name = nameOf(record)
        const move = moves.get(name)
        const next = record.offset + 1
        if (move) move.next = next
        else {
          const { topic, partition, saved } = positions.get(name)!
          moves.set(name, { topic, partition, old: saved, next })
        }
      }
      return inOrder([...moves.values()])
    },
    unsaved: () =>
      inOrder(
        [...positions.values()]
          .filter(({ next, saved }) => next > saved)
          .map(({ topic, partition, next, saved }) => ({ topic, partition, old: saved, next })),
      ),
    advance(moves, saved) {
      for (const move of moves) {
        const position = positions.get(nameOf(move))
        if (!position) continue
        position.next = move.next
        if (saved) position.saved = move.next
      }
    },

    async lag() {
      const [ends, rows] = await Promise.all([transport.ends(topics), stored()])
      return rows.map((row) => ({
        ...row,
        behind: Math.max(0, (ends.get(row.topic)?.[row.partition] ?? row.next) - row.next),
      }))
    },
  }
}

const nameOf = (at: { topic: string; partition: number }): string => `${at.topic}/${at.partition}`

// Always the same order, so that two instances that both believe to own a lane meet at the first row instead of in a deadlock.
const inOrder = (moves: readonly Move[]): Move[] =>
  moves.toSorted((a, b) => a.partition - b.partition || (a.topic < b.topic ? -1 : 1))
