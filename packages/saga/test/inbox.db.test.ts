import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type Database, ensureDays, SagaError, transaction } from '../src/index.ts'
import { accept, isEventId, type Move } from '../src/inbox.ts'
import { park } from '../src/parked.ts'
import type { PlacedRecord } from '../src/transport.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { prepareStock } from './stock.ts'

async function setUp(t: TestContext): Promise<Database> {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  await db.query(
    `insert into saga.position (topic, partition, next, log_id) select 'stock', p, 0, 'log' from generate_series(0, 3) p`,
  )
  return db
}

const record = (offset: number, over: Partial<PlacedRecord> = {}): PlacedRecord => ({
  id: randomUUIDv7(),
  topic: 'stock',
  partition: 1,
  offset,
  key: 'fern',
  type: 'stock.changed',
  body: '{}',
  ...over,
})
const move = (old: number, next: number, partition = 1): Move => ({ topic: 'stock', partition, old, next })
const take = (db: Database, moves: readonly Move[], records: readonly PlacedRecord[]) =>
  transaction(db, (tx) => accept(tx, moves, records))
const positionOf = async (db: Database): Promise<number[]> =>
  (await db.query<{ next: number }>('select next from saga.position order by partition')).map(({ next }) => next)
const isFence = (error: unknown): boolean => error instanceof SagaError && error.code === 'SAGA_FENCED'

test('fresh records come back once each, in order', async (t) => {
  const db = await setUp(t)
  const [a, b, c] = [record(0), record(1), record(3)]
  const { fresh } = await take(db, [move(0, 5)], [a, b, { ...a, offset: 2 }, c, { ...b, offset: 4 }])
  assert.deepEqual(fresh, [a, b, c])
  assert.deepEqual(await positionOf(db), [0, 5, 0, 0])
})

test('what was taken before, in whatever partition or position, is not fresh', async (t) => {
  const db = await setUp(t)
  const [a, b] = [record(0), record(1)]
  await take(db, [move(0, 1)], [a])
  const { fresh } = await take(
    db,
    [move(1, 3), move(0, 1, 2)],
    [b, { ...a, offset: 2 }, { ...a, partition: 2, offset: 0 }],
  )
  assert.deepEqual(fresh, [b])
})

test('what a rolled back transaction took is fresh', async (t) => {
  const db = await setUp(t)
  const a = record(0)
  const failed = transaction(db, async (tx) => {
    await accept(tx, [move(0, 1)], [a])
    throw new Error('no')
  })
  await assert.rejects(failed, /no/)
  assert.deepEqual((await take(db, [move(0, 1)], [a])).fresh, [a])
})

test('a position that is not where it was believed to be fences, whoever is ahead', async (t) => {
  const db = await setUp(t)
  await take(db, [move(0, 7)], [])
  for (const moves of [[move(0, 1)], [move(8, 9)], [move(7, 8), move(3, 4, 2)], [{ ...move(0, 1), topic: 'unknown' }]])
    await assert.rejects(take(db, moves, [record(0)]), isFence)
  assert.deepEqual(await positionOf(db), [0, 7, 0, 0])
  assert.deepEqual(await db.query('select from saga.inbox'), [])
})

test('of two transactions from the same position one is fenced, though they hold different events', async (t) => {
  const db = await setUp(t)
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((next) => take(db, [move(0, next), move(0, next, 2)], [record(0)])),
  )
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(isFence(outcome.reason), outcome.reason)
  assert.equal((await db.query('select from saga.inbox')).length, 1)
})

test('keys that are parked are told of', async (t) => {
  const db = await setUp(t)
  await transaction(db, (tx) => park(tx, [{ record: record(0, { key: 'oak' }), error: new Error('no') }], 1))
  const { parked, fresh } = await take(db, [move(0, 2)], [record(0), record(1, { key: 'oak' })])
  assert.deepEqual([...parked], ['oak'])
  assert.equal(fresh.length, 2)
})

test('an id that is no UUID is fresh each time and cannot stand in for others', async (t) => {
  const db = await setUp(t)
  const a = record(0)
  const forged = record(1, { id: `${a.id},${randomUUIDv7()}` })
  const first = await take(db, [move(0, 1)], [forged])
  assert.deepEqual(first.fresh, [forged])
  const second = await take(db, [move(1, 4)], [a, forged, { ...a, offset: 3 }])
  assert.deepEqual(second.fresh, [a, forged])
  assert.deepEqual((await db.query('select from saga.inbox')).length, 1)
})

test('an id counts in one spelling only', () => {
  const id = randomUUIDv7()
  assert.ok(isEventId(id))
  assert.ok(isEventId(randomUUID()))
  for (const other of [id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, ` ${id}`, '', `${id}\n`])
    assert.equal(isEventId(other), false)
})

test('days come and go, and ids that lie in no day are known again all the same', async (t) => {
  const db = await setUp(t)
  const idOf = (ms: number): string => {
    const time = ms.toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
  }
  const day = 86_400_000
  const records = [-400, -3, 0, 3, 5_000].map((days, offset) => record(offset, { id: idOf(Date.now() + days * day) }))
  records.push(record(5, { id: randomUUID() }))
  await ensureDays(db, 'saga.inbox', 14)
  await take(db, [move(0, 6)], records)
  await ensureDays(db, 'saga.inbox', 14)
  assert.deepEqual((await take(db, [move(6, 12)], records)).fresh, [])
  const rows = await db.query<{ name: string }>('select tableoid::regclass::text as name from saga.inbox')
  assert.deepEqual(rows.filter(({ name }) => name === 'saga.inbox_other').length, 3)
})
