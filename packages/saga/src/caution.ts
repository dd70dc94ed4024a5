import type { Database } from './database.ts'
import { asError } from './errors.ts'
import { beginTrial, endTrial, type Suspect } from './held.ts'
import type { Lanes } from './lanes.ts'
import type { Positions } from './positions.ts'
import type { PlacedRecord, Transport } from './transport.ts'

// Finds the event that ends the process. A lane whose holder ended without a word is run with care up to where the log ended then: what
// is tried is written down first, in a transaction of its own. One by one if there is little; else the poll as a whole, which costs
// next to nothing, and one by one only if that ends the process too. So the third end at the latest has a single event to blame, and the
// next holder parks it. Lanes that were given back in good order are not looked at here.

/** An event that has ended so many processes is parked. */
const KILLS = 3
/** Up to so many events are tried one by one after the first end. */
const FEW = 50

export interface Caution {
  /** Works out how far to be careful in the lanes that others left without a word. For after the positions are loaded. */
  judge(): Promise<void>
  /**
   * Handles the records of suspect lanes. Resolves with all others, and with the passing error that kept a lane from going on. What it
   * leaves of a suspect lane comes again with the next poll.
   */
  handle(
    records: readonly PlacedRecord[],
    stopping: () => boolean,
  ): Promise<{ rest: readonly PlacedRecord[]; error?: Error }>
}

/** `concerns`: whether anybody reacts to a record. `handle` and `park` commit what they are given, and move the positions. */
export function createCaution(options: {
  db: Database
  transport: Transport
  topics: readonly string[]
  lanes: Lanes
  positions: Positions
  concerns: (record: PlacedRecord) => boolean
  handle: (records: readonly PlacedRecord[], stopping: () => boolean) => Promise<void>
  park: (record: PlacedRecord, kills: number) => Promise<void>
}): Caution {
  const { db, transport, topics, lanes, positions, concerns, handle, park } = options
  const { suspects } = lanes
  const isPast = (record: PlacedRecord): boolean => positions.at(record.topic, record.partition)! > record.offset

  /** Up to where that reaches which was under way, if the position is still in there. */
  function underWay(lane: number, { tried }: Suspect): ReadonlyMap<string, number> | undefined {
    const ranges = Object.entries(tried ?? {}).filter(([topic, [from, to]]) => {
      const next = positions.at(topic, lane)
      return next !== undefined && from <= next && next < to
    })
    return ranges.length > 0 ? new Map(ranges.map(([topic, [, to]]) => [topic, to])) : undefined
  }

  function forgetThePassed(): void {
    for (const [lane, { until }] of suspects)
      if (until && [...until].every(([topic, to]) => (positions.at(topic, lane) ?? 0) >= to)) suspects.delete(lane)
  }

  /** Tries records of which each lane's must be the first. If the process survives without being past them, they are not to blame. */
  async function attempt(records: readonly PlacedRecord[], kills: number, stopping: () => boolean): Promise<void> {
    if (!records.some(concerns)) return handle(records, stopping)
    await oneAtATime(async () => {
      const moves = positions.past(records)
      await beginTrial(db, lanes.me, moves, kills)
      try {
        await handle(records, stopping)
      } finally {
        // For precision: should this fail too, and the process end soon, they are blamed although they only failed.
        if (!records.every(isPast)) await endTrial(db, lanes.me, moves).catch(() => {})
      }
    })
  }

  async function oneByOne(records: readonly PlacedRecord[], suspect: Suspect, stopping: () => boolean): Promise<void> {
    for (const record of records) {
      if (stopping()) return
      const isDeadly = suspect.kills >= KILLS && record.offset + 1 === suspect.until?.get(record.topic)
      if (isDeadly && concerns(record)) await park(record, suspect.kills)
      else await attempt([record], suspect.kills, stopping)
      if (!isPast(record)) return
    }
  }

  return {
    async judge() {
      if (suspects.size === 0) return
      const unjudged = [...suspects].filter(
        ([lane, { until }]) => !until && topics.every((topic) => positions.at(topic, lane) !== undefined),
      )
      const unknown = unjudged.filter(([lane, suspect]) => !(suspect.until = underWay(lane, suspect)))
      const ends = unknown.length > 0 ? await transport.ends(topics) : new Map<string, readonly number[]>()
      for (const [lane, suspect] of unknown) {
        suspect.kills = 1
        suspect.until = new Map([...ends].map(([topic, offsets]) => [topic, offsets[lane] ?? 0]))
      }
      forgetThePassed()
    },

    async handle(records, stopping) {
      if (suspects.size === 0) return { rest: records }
      const due = records.filter(
        ({ topic, partition, offset }) => offset < (suspects.get(partition)?.until?.get(topic) ?? 0),
      )
      const rest = records.filter(({ partition }) => !suspects.has(partition))
      const endedOnce = due.filter(({ partition }) => suspects.get(partition)!.kills === 1)
      const together = endedOnce.filter(concerns).length > FEW
      const apart = together ? due.filter(({ partition }) => suspects.get(partition)!.kills > 1) : due
      let error: Error | undefined
      const carefully = async (run: () => Promise<void>): Promise<void> => {
        try {
          await run()
        } catch (thrown) {
          error ??= asError(thrown)
        }
      }
      if (together) await carefully(() => attempt(endedOnce, 1, stopping))
      for (const [lane, ofLane] of Map.groupBy(apart, ({ partition }) => partition))
        await carefully(() => oneByOne(ofLane, suspects.get(lane)!, stopping))
      forgetThePassed()
      return { rest, ...(error && { error }) }
    },
  }
}

// A process ends as a whole: while one of its consumers tries something, no other one does, so that only what was tried is to blame.
let last: Promise<void> = Promise.resolve()

function oneAtATime(run: () => Promise<void>): Promise<void> {
  const running = last.then(run)
  last = running.catch(() => {})
  return running
}
