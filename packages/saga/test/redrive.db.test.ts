import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { discardParked, listParked, SagaError, transaction } from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  changed,
  changes,
  createBench,
  createGate,
  heardOf,
  keysOf,
  parkedAre,
  prepareStock,
  range,
  readUpTo,
  recordOf,
  spelled,
  versionsOf,
} from './stock.ts'
import { until } from './until.ts'

const setUp = async (t: TestContext) =>
  createBench(t, await testDatabase(t, { template: 'stock', migrate: prepareStock }))
const codeOf = (error: unknown): unknown => error instanceof SagaError && error.code

test('a redrive runs the parked events in order and frees the key', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:2')
  const { consumer } = await start()
  await transport.publish(changes('fern', 1, 5))
  await readUpTo(db, 5)
  bad.clear()
  assert.equal(await consumer.redrive('fern'), 4)
  assert.deepEqual(await listParked(db), [])
  await transport.publish(changes('fern', 6, 6))
  await readUpTo(db, 6)
  assert.deepEqual(await heardOf(db), spelled('fern', ...range(1, 6)))
  const tries = await db.query<{ tries: number }>('select tries from heard order by n')
  assert.deepEqual(
    tries.map((row) => row.tries),
    [3, 6, 1, 1, 1, 1],
  )
  await assert.rejects(consumer.redrive('fern'), (error) => codeOf(error) === 'SAGA_NOT_PARKED')
})

test('redrives, several at once, keep the order while new events of the key arrive', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  const keys = keysOf(1, 3)
  for (const key of keys) bad.add(`${key}:1`)
  const one = await start()
  const two = await start()
  await transport.publish(range(1, 20).flatMap((n) => keys.map((key) => recordOf(changed({ key, version: n })))))
  await readUpTo(db, 60)
  await parkedAre(db, ...keys)
  bad.clear()
  const redriven = Promise.allSettled(
    [one, two, one, two].flatMap(({ consumer }) => keys.map((key) => consumer.redrive(key))),
  )
  for (const n of range(21, 80)) {
    await transport.publish(keys.map((key) => recordOf(changed({ key, version: n }))))
    await db.query('select')
  }
  const outcomes = await redriven
  await until('all heard', async () => (await heardOf(db)).length === 240)
  for (const key of keys) assert.deepEqual(await heardOf(db, key), spelled(key, ...range(1, 80)))
  assert.deepEqual(await listParked(db), [])
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') assert.equal(codeOf(outcome.reason), 'SAGA_NOT_PARKED')
})

test('an event that comes while the last parked one of its key is redriven comes after it', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:1')
  const gate = createGate()
  let redriving = false
  const { consumer } = await start({
    async behave({ key, data }) {
      if (bad.has(`${key}:${data.version}`)) throw new Error('bad')
      if (data.version > 1) return
      redriving = true
      await gate.opened
    },
  })
  await transport.publish(changes('fern', 1, 1))
  await parkedAre(db, 'fern')
  bad.clear()
  const redriven = consumer.redrive('fern')
  await until('the redrive is at work', () => redriving)
  await transport.publish(changes('fern', 2, 2))
  await until('the new one waits', async () => {
    const waits = await db.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return waits.length === 1
  })
  gate.open()
  assert.equal(await redriven, 1)
  await until('both heard', async () => (await heardOf(db)).length === 2)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
  assert.deepEqual(await listParked(db), [])
})

test('a redrive that fails again keeps what is left, with the new error', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:1')
  const { consumer } = await start()
  await transport.publish(changes('fern', 1, 4))
  await readUpTo(db, 4)
  await assert.rejects(consumer.redrive('fern'), /version 1 of fern is bad/)
  const [again] = await listParked(db)
  assert.deepEqual([again?.attempts, again?.error, versionsOf(again)], [7, 'version 1 of fern is bad', [1, 2, 3, 4]])
  bad.clear()
  bad.add('fern:3')
  await assert.rejects(consumer.redrive('fern'), /version 3 of fern is bad/)
  const [left] = await listParked(db)
  assert.deepEqual([left?.attempts, left?.error, versionsOf(left)], [1, 'version 3 of fern is bad', [3, 4]])
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
})

test('a redrive that a lost connection ends leaves the key as it was', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:1')
  let cut = false
  const { consumer } = await start({
    async behave({ key, data }, tx) {
      if (cut) await tx.query('select pg_terminate_backend(pg_backend_pid())')
      if (bad.has(`${key}:${data.version}`)) throw new Error('bad')
    },
  })
  await transport.publish(changes('fern', 1, 2))
  await readUpTo(db, 2)
  const before = await listParked(db)
  cut = true
  await assert.rejects(consumer.redrive('fern'), /terminat/)
  assert.deepEqual(await listParked(db), before)
  cut = false
  bad.clear()
  assert.equal(await consumer.redrive('fern'), 2)
})

test('discard gives up what is parked of a key, keeps it with the reason, and frees the key', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:2')
  await start()
  await transport.publish(changes('fern', 1, 3))
  await readUpTo(db, 3)
  assert.equal(await transaction(db, (tx) => discardParked(tx, 'fern', 'sold elsewhere')), 2)
  const kept = await db.query<{ body: string }>(
    `select key, topic, "offset", body, error, reason from saga.discarded_event order by seq`,
  )
  assert.deepEqual(
    kept.map(({ body, ...row }) => ({ ...row, version: JSON.parse(body).data.version })),
    [2, 3].map((version) => ({
      key: 'fern',
      topic: 'stock',
      offset: version - 1,
      error: 'version 2 of fern is bad',
      reason: 'sold elsewhere',
      version,
    })),
  )
  assert.deepEqual(await listParked(db), [])
  await transport.publish(changes('fern', 4, 4))
  await readUpTo(db, 4)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 4))
  await assert.rejects(
    transaction(db, (tx) => discardParked(tx, 'fern', 'again')),
    (error) => codeOf(error) === 'SAGA_NOT_PARKED',
  )
})
