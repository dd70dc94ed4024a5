import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { listParked } from '../src/index.ts'
import type { LogRecord } from '../src/transport.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  changed,
  changedV2,
  changes,
  counted,
  createBench,
  heardOf,
  hearing,
  keysOf,
  moved,
  parkedAre,
  prepareStock,
  readUpTo,
  recordOf,
  spelled,
} from './stock.ts'

const setUp = async (t: TestContext) =>
  createBench(t, await testDatabase(t, { template: 'stock', migrate: prepareStock }))

const unreadable: Record<string, { over: Partial<LogRecord>; error: RegExp }> = {
  'is no JSON': { over: { body: '{"type":' }, error: /no JSON/ },
  'is JSON, but no envelope': { over: { body: 'null' }, error: /no envelope/ },
  'holds another type than its record says': {
    over: { body: '{"type":"stock.counted","version":1}' },
    error: /no envelope/,
  },
  'holds data of another shape': {
    over: { body: '{"type":"stock.changed","version":1,"data":{"key":7}}' },
    error: /data of stock\.changed v1 is not valid: key and version are needed/,
  },
  'holds a character that PostgreSQL cannot store': { over: { body: '{"\0' }, error: /no JSON/ },
  'has an id that is no UUID': { over: { id: '7},{' }, error: /is not a UUID/ },
}
for (const [what, { over, error }] of Object.entries(unreadable))
  test(`a record that ${what} parks its key at once, once, and holds nobody else up`, async (t) => {
    const { db, transport, start, tried } = await setUp(t)
    const [sick, well] = keysOf(1, 2) as [string, string]
    await transport.publish([
      ...changes(sick, 1, 1),
      recordOf(changed({ key: sick, version: 2 }), over),
      ...changes(sick, 3, 3),
      ...changes(well, 1, 1),
    ])
    const { consumer } = await start()
    await readUpTo(db, 4)
    const [parked] = await parkedAre(db, sick)
    assert.match(parked?.error ?? '', error)
    assert.deepEqual([parked?.attempts, parked?.events.length], [1, 2])
    assert.deepEqual(tried.toSorted(), [`${sick}:1`, `${well}:1`].toSorted())
    assert.equal(consumer.stats().failed, 0)
  })

test('a record that can neither be read nor, without a key, be parked is counted and skipped', async (t) => {
  const { db, transport, start } = await setUp(t)
  const { consumer } = await start()
  await transport.publish([recordOf(changed({ key: '', version: 1 }), { body: '?' })])
  await readUpTo(db, 1)
  assert.deepEqual(await listParked(db), [])
  assert.equal(consumer.stats().skipped, 1)
})

test('a key with a character that PostgreSQL cannot store stops nothing', async (t) => {
  const { db, transport, start } = await setUp(t)
  await start()
  await transport.publish([recordOf(changed({ key: 'fern\0', version: 1 }), { body: '?' })])
  await parkedAre(db, 'fern\ufffd')
})

test('a newer version waits for the upgrade', async (t) => {
  const { db, transport, start } = await setUp(t)
  const old = await start()
  await transport.publish([
    ...changes('fern', 1, 1),
    recordOf(changedV2({ key: 'fern', version: 2 })),
    ...changes('fern', 3, 3),
  ])
  const [parked] = await parkedAre(db, 'fern')
  assert.match(parked?.error ?? '', /version 2 is not known here; upgrade this service, then redrive the key/)
  await old.consumer.stop()
  const upgraded = hearing([changed, counted, changedV2 as unknown as typeof changed], () => {})
  const { consumer } = await start({ reactions: [upgraded] })
  assert.equal(await consumer.redrive('fern'), 2)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2, 3))
})

test('what is parked can be listed although it cannot be read', async (t) => {
  const { db, transport, start } = await setUp(t)
  await start()
  await transport.publish([
    recordOf(changed({ key: 'fern', version: 1 }), { body: 'what?', id: 'none' }),
    recordOf(moved({ key: 'fern', version: 2 })),
  ])
  const [parked] = await parkedAre(db, 'fern')
  assert.deepEqual(parked?.events, [{ id: '', type: 'stock.changed', time: null, data: 'what?' }])
})
