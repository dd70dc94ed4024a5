import type { TestContext } from 'node:test'
import {
  append,
  type Consumer,
  createMemoryTransport,
  createConsumer,
  type Database,
  defineEvent,
  listParked,
  migrate,
  type NewEvent,
  on,
  type ParkedKey,
  partitionOf,
  type Reaction,
  type Received,
  type Transport,
  type Tx,
} from '../src/index.ts'
import { envelopeOf } from '../src/event.ts'
import type { LogRecord } from '../src/transport.ts'
import { until } from './until.ts'

// A service for tests: it hears how stock changes and writes down what it heard, in the order in which it heard it.

export const PARTITIONS = 4

export interface Version {
  key: string
  version: number
}
const versionOf = (value: unknown): Version => {
  const { key, version } = value as Partial<Version>
  if (typeof key !== 'string' || typeof version !== 'number') throw new Error('key and version are needed')
  return { key, version }
}
const kind = <const Name extends string>(name: Name, topic = 'stock', version = 1) =>
  defineEvent({ name, version, topic, key: (data: Version) => data.key, data: versionOf })

export const changed = kind('stock.changed')
export const changedV2 = kind('stock.changed', 'stock', 2)
export const counted = kind('stock.counted')
export const priced = kind('price.changed', 'price')
export const noted = kind('stock.noted')
/** A kind that the service does not read. */
export const moved = kind('stock.moved')

/** An event as a relay would publish it. `over` replaces parts of the record. */
export function recordOf(event: NewEvent, over: Partial<LogRecord> = {}): LogRecord {
  const envelope = envelopeOf(event, Date.now())
  const { id, key, type } = envelope
  return { id, topic: event.kind.topic, key, type, body: JSON.stringify(envelope), ...over }
}

/** Versions `from` to `to` of a key's stock. */
export const changes = (key: string, from: number, to: number): LogRecord[] =>
  range(from, to).map((version) => recordOf(changed({ key, version })))

/** `count` keys that all lie in this lane. */
export function keysOf(lane: number, count: number, partitions = PARTITIONS): string[] {
  const keys: string[] = []
  for (let i = 0; keys.length < count; i++) if (partitionOf(`k${i}`, partitions) === lane) keys.push(`k${i}`)
  return keys
}

export const prepareStock = async (db: Database): Promise<void> => {
  await migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) })
  await db.query(
    'create table heard (n bigint generated always as identity primary key, id uuid, type text, key text, version int, tries int)',
  )
}

/** Looks at an event before it is written down; what it throws, the reaction throws. */
export type Behaviour = (event: Received<string, Version>, tx: Tx) => void | Promise<void>

/** Writes down each event that it hears, in one statement a call; `calls` gets how many each call was given. */
export function hearing(
  kinds: readonly (typeof changed | typeof counted | typeof priced)[],
  behave: Behaviour,
  calls: number[] = [],
): Reaction {
  return on(
    kinds,
    async (events, tx) => {
      calls.push(events.length)
      for (const event of events) await behave(event, tx)
      await tx.query(
        'insert into heard (id, type, key, version, tries) select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[])',
        [
          events.map((event) => event.id),
          events.map((event) => event.type),
          events.map((event) => event.data.key),
          events.map((event) => event.data.version),
          events.map((event) => event.tries),
        ],
      )
    },
    { emits: [noted] },
  )
}

export interface Stock {
  consumer: Consumer
  errors: Error[]
  /** How many events each call of the reaction got. */
  calls: number[]
}

/** A consumer of stock and prices, started. */
export async function startStock(options: {
  db: Database
  transport: Transport
  behave?: Behaviour
  reactions?: readonly Reaction[]
  batch?: number
}): Promise<Stock> {
  const { db, transport, behave = () => {}, batch } = options
  const errors: Error[] = []
  const calls: number[] = []
  const consumer = createConsumer({
    db,
    transport,
    partitions: PARTITIONS,
    reactions: options.reactions ?? [hearing([changed, counted, priced], behave, calls)],
    onError: (error) => errors.push(error),
    ...(batch !== undefined && { batch }),
  })
  await consumer.prepare()
  consumer.start()
  return { consumer, errors, calls }
}

/** What was heard, in order: `key:version`. */
export async function heardOf(db: Database, ...keys: string[]): Promise<string[]> {
  const rows = await db.query<Version>('select key, version from heard where $1 or key = any($2::text[]) order by n', [
    keys.length === 0,
    keys,
  ])
  return rows.map(({ key, version }) => `${key}:${version}`)
}

/** `key:version` for each of these versions. */
export const spelled = (key: string, ...versions: number[]): string[] => versions.map((version) => `${key}:${version}`)

/** The saved positions, summed up over all partitions. */
export async function savedOf(db: Database): Promise<number> {
  const [row] = await db.query<{ sum: number }>('select sum(next)::bigint as sum from saga.position')
  return row!.sum
}

/** The same database, where whoever asks for a lock gets it: instances that do not know of each other. */
export const withoutLocks = (db: Database): Database => ({
  ...db,
  async connect(onNotification) {
    const connection = await db.connect(onNotification)
    return {
      ...connection,
      async query<R extends object>(text: string, values?: readonly unknown[]) {
        if (text.includes('count(*) from pg_locks')) return [{ count: 1 }] as R[]
        if (!text.includes('pg_try_advisory_lock')) return connection.query<R>(text, values)
        const lanes = values?.[1] as number[] | undefined
        return (lanes?.map((lane) => ({ lane })) ?? [{ ok: true }]) as R[]
      },
    }
  },
})

/** Appends a note to each event it hears, which the reaction declares. */
export const noting: Behaviour = (event, tx) => void append(tx, noted(event.data), { causedBy: event })

/** A door that opens once: for holding a transaction open. */
export function createGate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** A database of the service's, a log in memory, and consumers that stop with the test. */
export interface Bench {
  db: Database
  transport: Transport
  /** Versions that fail as long as they are in here: `key:version`. */
  bad: Set<string>
  /** Each try, also those that failed: `key:version`. */
  tried: string[]
  start(options?: Partial<Parameters<typeof startStock>[0]>): Promise<Stock>
}

export async function createBench(t: TestContext, db: Database): Promise<Bench> {
  const transport = createMemoryTransport()
  await transport.ensureTopics(['stock', 'price'], PARTITIONS)
  const bad = new Set<string>()
  const tried: string[] = []
  const behave: Behaviour = ({ key, data }) => {
    tried.push(`${key}:${data.version}`)
    if (bad.has(`${key}:${data.version}`)) throw new Error(`version ${data.version} of ${key} is bad`)
  }
  return {
    db,
    transport,
    bad,
    tried,
    async start(options = {}) {
      const stock = await startStock({ db, transport, behave, ...options })
      t.after(() => stock.consumer.stop())
      return stock
    },
  }
}

/** Resolves when so many records are read, as far as the database knows. */
export const readUpTo = (db: Database, position: number): Promise<unknown> =>
  until(`${position} records read`, async () => (await savedOf(db)) === position)

/** Resolves with what is parked when it is these keys. */
export const parkedAre = (db: Database, ...keys: string[]): Promise<ParkedKey[]> =>
  until(`${keys.join(', ')} parked`, async () => {
    const parked = await listParked(db)
    return parked.length === keys.length && parked.every(({ key }) => keys.includes(key)) && parked
  })

export const versionsOf = (parked: ParkedKey | undefined): number[] =>
  (parked?.events ?? []).map(({ data }) => (data as Version).version)

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
