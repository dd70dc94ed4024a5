import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { append, on } from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  changed,
  changes,
  createBench,
  heardOf,
  keysOf,
  noted,
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

test('an event that fails is tried once and three times more, then its key is parked', async (t) => {
  const { db, transport, start, bad, tried } = await setUp(t)
  bad.add('fern:1')
  const { consumer, errors } = await start()
  await transport.publish(changes('fern', 1, 1))
  const [parked] = await parkedAre(db, 'fern')
  assert.deepEqual(tried, spelled('fern', 1, 1, 1, 1))
  assert.equal(parked?.attempts, 4)
  assert.equal(parked.error, 'version 1 of fern is bad')
  assert.deepEqual(versionsOf(parked), [1])
  assert.equal(consumer.stats().parked, 1)
  assert.match(errors.at(-1)?.message ?? '', /key "fern" is parked: stock\.changed at stock\/\d\/0 failed 4 times/)
})

test('a failed key waits in order, while other keys of its lane and other lanes go on', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  const [sick, well] = keysOf(1, 2) as [string, string]
  const [far] = keysOf(2, 1) as [string]
  bad.add(`${sick}:3`)
  await transport.publish(
    range(1, 6).flatMap((n) => [sick, well, far].map((key) => recordOf(changed({ key, version: n })))),
  )
  await start()
  await readUpTo(db, 18)
  await transport.publish([...changes(sick, 7, 8), ...changes(well, 7, 8)])
  await readUpTo(db, 22)
  assert.deepEqual(await heardOf(db, sick), spelled(sick, 1, 2))
  assert.deepEqual(await heardOf(db, well), spelled(well, ...range(1, 8)))
  assert.deepEqual(await heardOf(db, far), spelled(far, ...range(1, 6)))
  const [parked] = await parkedAre(db, sick)
  assert.deepEqual(versionsOf(parked), range(3, 8))
})

test('a relay that repeats an event of a parked key does not park it twice', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  bad.add('fern:1')
  const records = changes('fern', 1, 3)
  await transport.publish([...records, ...records])
  await start()
  await readUpTo(db, 6)
  await transport.publish(records)
  await readUpTo(db, 9)
  assert.deepEqual(versionsOf((await parkedAre(db, 'fern'))[0]), [1, 2, 3])
})

test('a lane full of failing keys does not keep the other lanes waiting', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  const sick = keysOf(0, 12)
  const [well] = keysOf(1, 1) as [string]
  for (const key of sick) bad.add(`${key}:1`)
  const { consumer } = await start()
  await transport.publish(sick.flatMap((key) => changes(key, 1, 1)))
  await until('one is parked', () => consumer.stats().parked > 0)
  await transport.publish(changes(well, 1, 1))
  await until('the other lane heard', async () => (await heardOf(db, well)).length === 1)
  assert.ok(consumer.stats().parked < 4, `${consumer.stats().parked} were parked first`)
})

test('a reaction that emits what it did not declare parks the key, and nothing of it is sent', async (t) => {
  const { db, transport, start } = await setUp(t)
  const reaction = on([changed], async (events, tx) => {
    for (const event of events) append(tx, noted(event.data), { causedBy: event })
  })
  await start({ reactions: [reaction] })
  await transport.publish(changes('fern', 1, 2))
  const [parked] = await parkedAre(db, 'fern')
  assert.match(parked?.error ?? '', /the reaction to stock\.changed appended stock\.noted/)
  assert.deepEqual(await db.query('select from saga.outbox'), [])
})

test('a lane in which not even parking works keeps no other lane waiting, and recovers', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  const [sick] = keysOf(1, 1) as [string]
  const well = [0, 2, 3].flatMap((lane) => keysOf(lane, 1))
  bad.add(`${sick}:1`)
  await db.query(`alter table saga.parked_key add constraint closed check (key <> '${sick}')`)
  const { errors } = await start()
  await transport.publish([sick, ...well].flatMap((key) => changes(key, 1, 1)))
  await until('parking fails', () =>
    errors.some((error) => error.message.includes('violates check constraint "closed"')),
  )
  await transport.publish(well.flatMap((key) => changes(key, 2, 2)))
  await until('the other lanes heard', async () => (await heardOf(db, ...well)).length === 6)
  await db.query('alter table saga.parked_key drop constraint closed')
  await parkedAre(db, sick)
})
