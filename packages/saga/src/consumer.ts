import { createCaution } from './caution.ts'
import { type Database } from './database.ts'
import { asError, isTransient, SagaError } from './errors.ts'
import type { Received } from './event.ts'
import { accept } from './inbox.ts'
import { createLanes } from './lanes.ts'
import { createBell, createLoop, type Running } from './loop.ts'
import { addToParked, noteFailure, park, type ParkedEvent, storable, takeParked } from './parked.ts'
import { createPositions } from './positions.ts'
import { nameOf, type Reaction, reactionTable, rounds, runReaction } from './reaction.ts'
import { placeOf, readEvent, type Sorted, sortRecords } from './received.ts'
import { type Spans, type Trace, traced } from './trace.ts'
import { retryOnConflict, transaction, type Tx } from './transaction.ts'
import type { LogReader, PlacedRecord, Transport, Want } from './transport.ts'

// Reads the log and lets every effect happen exactly once. One transaction a poll holds everything about the batch: the positions
// move, the ids enter the inbox, the reactions write, their answers enter the outbox. So a crash anywhere repeats the batch whole or
// not at all. When a batch fails: a passing error repeats it; anything else narrows it down (by lane, then by halves) to the event at
// fault, which is tried three more times and then parked with its key, while all other keys go on. What cannot be read is parked at
// once. No lane waits for another's bad event: only the first one of a lane is dealt with in a turn, after the lanes that are well.
// What ends the process instead of failing is found by caution.ts.

const POLL_MS = 500
/** How long a position may stay unsaved that only passed events of no concern. */
const SAVE_MS = 1_000
/** How often the log's own tools are told of the positions, where it has such. */
const SHOW_MS = 5_000
const RETRY_PAUSES_MS = [20, 100, 500]
/** Others were in the way: a conflict, a deadlock, a lock not to be had, a fence. Fewer rows at a time get through. */
const CONTENDED = new Set(['40001', '40P01', '55P03', 'SAGA_FENCED'])

export interface Consumer extends Running {
  /** Makes missing topics and positions. Rejects with SAGA_LOG_CHANGED when a position was made on another log. */
  prepare(): Promise<void>
  /** Runs a parked key's events again, in order, until done or until one fails again. Resolves with how many went through. */
  redrive(key: string): Promise<number>
  /** How far the saved positions are behind the ends of the log. */
  lag(): Promise<{ topic: string; partition: number; next: number; behind: number }[]>
  stats(): ConsumerStats
}

export interface ConsumerStats {
  consumed: number
  /** Repeats that the inbox removed, types that nobody here reads, failed batches, parked keys; counted since the start. */
  repeated: number
  skipped: number
  failed: number
  parked: number
  /** Lanes owned now, and those stopped for good with the reason. */
  lanes: number
  stopped: ReadonlyMap<number, Error>
}

/** A consumer of the events that `reactions` name, from topics with `partitions` partitions each. */
export function createConsumer(options: {
  db: Database
  transport: Transport
  reactions: readonly Reaction[]
  partitions: number
  /** What the log's own tools know the positions by; default: they are told nothing. */
  group?: string
  /** Records a batch takes at most, about. */
  batch?: number
  onError?: (error: Error) => void
  trace?: Trace | undefined
}): Consumer {
  const { db, transport, reactions, partitions, group, batch = 500, onError = () => {}, trace } = options
  const table = reactionTable(reactions)
  const types = new Set([...table.values()].map(({ kind }) => kind.type))
  const topics = [...new Set([...table.values()].map(({ kind }) => kind.topic))].toSorted()
  const lanes = createLanes(db, partitions)
  const bell = createBell()
  const positions = createPositions({ db, transport, topics, partitions })
  const caution = createCaution({
    db,
    transport,
    topics,
    lanes,
    positions,
    concerns: ({ type }) => types.has(type),
    handle,
    park: (record, kills) => commit([record], kills, deadly(record, kills)),
  })
  const stopped = new Map<number, Error>()
  const count = { consumed: 0, repeated: 0, skipped: 0, failed: 0, parked: 0 }
  let reader: LogReader | undefined
  // How many tries the running batch is on; grows while the same positions fail.
  let tries = 1
  // After a failure, each lane has a transaction of its own.
  let apart = false
  // After a failure the positions in memory may be wrong.
  let stale = true
  let savedAt = 0
  let shownAt = 0

  async function turn(stopping: () => boolean): Promise<void> {
    const taken = await lanes.balance()
    if (stale || taken.length > 0 || !positions.cover(lanes.owned.size)) await positions.load(lanes.owned)
    stale = true
    await caution.judge()
    const records = await poll(positions.wants().filter((want) => !stopped.has(want.partition)))
    if (records.length > 0 && !stopping()) await handleWithCare(records, stopping)
    if (Date.now() - savedAt >= SAVE_MS) await savePassed()
    if (group !== undefined && Date.now() - shownAt >= SHOW_MS) show(group)
    stale = false
  }

  // Events that nobody here reads cost no transaction: the position moves on in memory, is saved with the next effect, or here.
  async function savePassed(): Promise<void> {
    savedAt = Date.now()
    const moves = positions.unsaved()
    if (moves.length === 0) return
    await transaction(db, (tx) => accept(tx, moves, []))
    positions.advance(moves, true)
  }

  // Nobody waits for it, and nothing depends on it: a log that is away is told of by the polls.
  function show(name: string): void {
    shownAt = Date.now()
    const wants = positions.wants()
    if (wants.length > 0) transport.showPositions?.(name, wants).catch(() => {})
  }

  async function handleWithCare(records: readonly PlacedRecord[], stopping: () => boolean): Promise<void> {
    const { rest, error } = await caution.handle(records, stopping)
    if (rest.length > 0 && !stopping()) await handle(rest, stopping)
    if (error) throw error
  }

  async function handle(records: readonly PlacedRecord[], stopping: () => boolean): Promise<void> {
    const byLane = [...Map.groupBy(records, (record) => record.partition).values()]
    let failures = await tryEach(apart ? byLane : [records])
    const [first] = failures
    if (first && !apart) {
      apart = !isTransient(first.error) || isContended(first.error)
      if (isTransient(first.error)) throw first.error
      if (byLane.length > 1) failures = await tryEach(byLane)
    }
    let passing: Error | undefined
    let blocked = false
    for (const failure of failures) {
      try {
        await narrow(failure, stopping)
      } catch (thrown) {
        if (isTransient(thrown)) passing ??= asError(thrown)
        else {
          // Not even parked. It comes again with every turn until somebody helps, which the other lanes need not wait for.
          blocked = true
          onError(asError(thrown))
        }
      }
    }
    if (passing) throw passing
    if (blocked) return
    tries = 1
    apart = false
  }

  /** Commits each part, those behind one that fails too, unless the database is not there. Resolves with the failures. */
  async function tryEach(parts: readonly (readonly PlacedRecord[])[]): Promise<Failure[]> {
    const attempt = tries
    const failures: Failure[] = []
    for (const records of parts) {
      try {
        await commit(records, attempt)
      } catch (thrown) {
        const error = asError(thrown)
        failures.push({ records, error, attempt })
        count.failed++
        tries = attempt + 1
        if (!isTransient(error)) onError(error)
        else if (!isContended(error)) break
      }
    }
    return failures
  }

  /**
   * Commits what stands before the first event at fault; tries that one three more times, alone, and then parks it. What stands
   * behind it comes with the next poll.
   */
  async function narrow({ records, error, attempt }: Failure, stopping: () => boolean): Promise<void> {
    if (isTransient(error)) throw error
    let suspects = records
    while (suspects.length > 1) {
      if (stopping()) return
      const half = suspects.slice(0, suspects.length >> 1)
      try {
        await commit(half, attempt + 1)
        suspects = suspects.slice(half.length)
      } catch (thrown) {
        if (isTransient(thrown)) throw thrown
        suspects = half
        error = asError(thrown)
        attempt++
      }
    }
    for (const pause of RETRY_PAUSES_MS) {
      await bell.wait(pause)
      if (stopping()) return
      try {
        return await commit(suspects, ++attempt)
      } catch (thrown) {
        if (isTransient(thrown)) throw thrown
        error = asError(thrown)
      }
    }
    await commit(suspects, attempt, error)
  }

  async function poll(wants: readonly Want[]): Promise<PlacedRecord[]> {
    if (wants.length === 0) {
      await bell.wait(POLL_MS)
      return []
    }
    try {
      reader ??= transport.reader()
      return (await reader.poll(wants, batch, POLL_MS)).map(withStorableKey)
    } catch (thrown) {
      if (!(thrown instanceof SagaError) || thrown.code !== 'SAGA_OFFSET_OUT_OF_LOG' || thrown.partition === undefined)
        throw thrown
      stopped.set(thrown.partition, thrown)
      onError(thrown)
      return []
    }
  }

  /** One transaction for these records: positions, inbox, reactions, outbox. With `failure` they are parked instead. */
  async function commit(records: readonly PlacedRecord[], attempt: number, failure?: Error): Promise<void> {
    const moves = positions.past(records)
    const known = records.filter((record) => types.has(record.type))
    if (known.length > 0) {
      let fresh = 0
      const work = async (tx: Tx, spans: Spans | undefined): Promise<Sorted> => {
        const accepted = await accept(tx, moves, known)
        fresh = accepted.fresh.length
        const found = sortRecords(
          accepted.fresh,
          accepted.parked,
          (record) => readEvent(record, table, attempt),
          failure,
        )
        if (found.failed.length > 0) await park(tx, found.failed, attempt)
        if (found.waiting.length > 0) await addToParked(tx, found.waiting)
        await react(tx, found.events, spans)
        return found
      }
      const sorted = await traced(trace, (spans) => transaction(db, (tx) => work(tx, spans)))
      positions.advance(moves, true)
      count.consumed += fresh
      count.repeated += known.length - fresh
      count.skipped += sorted.lost
      tellParked(sorted, attempt)
    } else positions.advance(moves, false)
    count.skipped += records.length - known.length
  }

  function tellParked({ failed }: Sorted, attempts: number): void {
    count.parked += failed.length
    for (const { record, error } of failed)
      onError(new Error(`key "${record.key}" is parked: ${placeOf(record)} failed ${attempts} times`, { cause: error }))
  }

  async function react(tx: Tx, events: readonly Received[], spans: Spans | undefined): Promise<void> {
    for (const [reaction, group] of rounds(
      spans?.begin('react', events) ?? events,
      (event) => table.get(nameOf(event))!.reaction,
    ))
      await runReaction(reaction, group, tx)
  }

  /** The first event of a parked key through its reaction. Resolves with whether others wait behind it. */
  async function redriveOne(key: string): Promise<boolean> {
    let taken: ParkedEvent | undefined
    try {
      await retryOnConflict(() =>
        traced(trace, (spans) =>
          transaction(db, async (tx) => {
            taken = await takeParked(tx, key)
            if (taken) await react(tx, [readEvent(taken, table, taken.attempts + 1)], spans)
          }),
        ),
      )
    } catch (thrown) {
      if (taken && !isTransient(thrown)) await noteFailure(db, key, asError(thrown))
      throw thrown
    }
    return taken?.more ?? false
  }

  const loop = createLoop({
    turn,
    bell,
    onError,
    async end() {
      // For economy: what is not saved is passed again by the next owner.
      if (!stale) await savePassed().catch((thrown: unknown) => onError(asError(thrown)))
      try {
        await reader?.close()
      } finally {
        await lanes.close()
      }
    },
  })
  const stop = async (): Promise<void> => {
    reader?.wake()
    await loop.stop()
  }
  return {
    prepare: () => positions.prepare(),
    start: () => loop.start(),
    stop,
    [Symbol.asyncDispose]: stop,
    async redrive(key) {
      let through = 1
      while (await redriveOne(key)) through++
      return through
    },
    lag: () => positions.lag(),
    stats: () => ({ ...count, lanes: lanes.owned.size, stopped }),
  }
}

/** Records whose transaction failed on its `attempt`-th try. */
interface Failure {
  records: readonly PlacedRecord[]
  error: Error
  attempt: number
}

const deadly = (record: PlacedRecord, kills: number): SagaError =>
  new SagaError(
    'SAGA_EVENT_DEADLY',
    `${placeOf(record)} ended the process ${kills} times: mend what ends it before the key is redriven`,
  )

const isContended = (error: Error): boolean => 'code' in error && CONTENDED.has(String(error.code))

const withStorableKey = (record: PlacedRecord): PlacedRecord =>
  record.key.includes('\0') ? { ...record, key: storable(record.key) } : record
