import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  append,
  createMemoryLog,
  createMemoryTransport,
  createWorker,
  type Database,
  type MemoryLog,
  on,
  type Reaction,
  SagaError,
  transaction,
  type Worker,
} from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { changed, counted, heardOf, hearing, PARTITIONS, prepareStock, range, spelled } from './stock.ts'
import { until } from './until.ts'

/** A service with a worker of its own, as in a process of its own. */
async function setUp(t: TestContext, log: MemoryLog, options: { topic: string; reactions?: readonly Reaction[] }) {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  const transport = createMemoryTransport({ shared: log })
  const errors: Error[] = []
  const worker = createWorker({
    ...options,
    db,
    transport,
    partitions: PARTITIONS,
    onError: (error) => errors.push(error),
  })
  t.after(async () => {
    await worker.stop()
    await transport.close()
  })
  return { db, worker, errors, transport }
}

const publish = (db: Database, ...versions: number[]): Promise<void> =>
  transaction(db, async (tx) => {
    for (const version of versions) append(tx, changed({ key: 'fern', version }))
  })
const outboxOf = (db: Database): Promise<unknown[]> => db.query('select from saga.outbox')

test('an event appended by one service has its effect in another, and its answer comes back', async (t) => {
  const log = createMemoryLog()
  const answering = on(
    [changed],
    async (events, tx) => {
      for (const event of events) append(tx, counted(event.data), { causedBy: event })
    },
    { emits: [counted] },
  )
  const shop = await setUp(t, log, { topic: 'stock', reactions: [hearing([counted], () => {})] })
  const store = await setUp(t, log, { topic: 'store', reactions: [answering] })
  await shop.worker.start()
  await store.worker.start()
  await publish(shop.db, ...range(1, 50))
  await until('all answered', async () => (await heardOf(shop.db)).length === 50)
  assert.deepEqual(await heardOf(shop.db), spelled('fern', ...range(1, 50)))
  assert.deepEqual([shop.errors, store.errors], [[], []])
})

test('start() brings an empty database up to date', async (t) => {
  const db = await testDatabase(t)
  const worker = createWorker({ topic: 'stock', db, transport: createMemoryTransport(), partitions: PARTITIONS })
  t.after(() => worker.stop())
  await worker.start()
  await publish(db, 1)
  await until('sent', async () => (await outboxOf(db)).length === 0)
})

test('stop() sends what was just appended, and may be called again, and before start()', async (t) => {
  const log = createMemoryLog()
  const { db, worker } = await setUp(t, log, { topic: 'stock' })
  await worker.start()
  await publish(db, ...range(1, 20))
  await Promise.all([worker.stop(), worker.stop()])
  await worker[Symbol.asyncDispose]()
  assert.deepEqual(await outboxOf(db), [])
  const other = await setUp(t, log, { topic: 'stock' })
  await other.worker.stop()
})

test('a stop() that comes while it starts leaves nothing running', async (t) => {
  const { db, worker } = await setUp(t, createMemoryLog(), {
    topic: 'stock',
    reactions: [hearing([counted], () => {})],
  })
  const started = worker.start()
  await worker.stop()
  await started
  await publish(db, 1)
  assert.equal(worker.consumer.stats().lanes, 0)
  assert.equal((await outboxOf(db)).length, 1)
})

test('start() rejects, and runs nothing, when the log is another', async (t) => {
  const reactions = [hearing([counted], () => {})]
  const { db, worker } = await setUp(t, createMemoryLog(), { topic: 'stock', reactions })
  await worker.start()
  await worker.stop()
  const again: Worker = createWorker({
    topic: 'stock',
    db,
    transport: createMemoryTransport(),
    partitions: PARTITIONS,
    reactions,
  })
  t.after(() => again.stop())
  await assert.rejects(again.start(), (error) => error instanceof SagaError && error.code === 'SAGA_LOG_CHANGED')
  await publish(db, 1)
  await again.stop()
  assert.equal((await outboxOf(db)).length, 1)
})

test('the relay stops last, even when the consumer cannot end well', async (t) => {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  const transport = createMemoryTransport()
  const worker = createWorker({
    topic: 'stock',
    db,
    transport: {
      ...transport,
      reader: () => ({
        ...transport.reader(),
        close: async () => {
          throw new Error('cannot close')
        },
      }),
    },
    partitions: PARTITIONS,
    reactions: [hearing([counted], () => {})],
  })
  await worker.start()
  await until('it consumes', () => worker.consumer.stats().lanes > 0)
  await publish(db, 1)
  await assert.rejects(worker.stop(), /cannot close/)
  assert.deepEqual(await outboxOf(db), [])
  assert.equal(worker.relay.stats().leader, false)
})
