import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Database } from '../src/database.ts'
import { ensureDays, today } from '../src/days.ts'
import { testDatabase } from '../../../test/support/postgres.ts'

const KEPT = 5
const AHEAD = 3

/** A table by days, as the log's and the inbox are. */
async function setUp(t: TestContext): Promise<Database> {
  const db = await testDatabase(t)
  await db.query('create schema diary')
  await db.query(
    'create table diary.entry (day int not null, id int not null, primary key (day, id)) partition by range (day)',
  )
  await db.query('create table diary.entry_other partition of diary.entry default')
  return db
}
const write = (db: Database, day: number, id = 0): Promise<unknown> =>
  db.query('insert into diary.entry values ($1, $2)', [day, id])
const daysOf = async (db: Database): Promise<number[]> => {
  const rows = await db.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'diary.entry'::regclass`,
  )
  return rows
    .flatMap(({ name }) => (name === 'entry_other' ? [] : [Number(name.replace('entry_', ''))]))
    .toSorted((a, b) => a - b)
}
const whereIs = async (db: Database, day: number): Promise<string[]> =>
  (
    await db.query<{ at: string }>(
      'select tableoid::regclass::text as at from diary.entry where day = $1 order by id',
      [day],
    )
  ).map(({ at }) => at)
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test('makes the days that are kept and some ahead, and nothing more the next time', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT)
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
  await write(db, now)
  await ensureDays(db, 'diary.entry', KEPT)
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
  assert.deepEqual(await whereIs(db, now), [`diary.entry_${now}`])
})

test('drops the days that are too old, whole, and says what it drops before', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT + 3)
  for (const day of [now - KEPT - 3, now - KEPT - 1, now - KEPT]) await write(db, day)
  await db.query('create table diary.dropped (day int, entries int)')
  await ensureDays(
    db,
    'diary.entry',
    KEPT,
    (day) => `insert into diary.dropped select ${day}, count(*) from diary.entry_${day}`,
  )
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
  assert.deepEqual(await db.query('select day, entries from diary.dropped order by day'), [
    { day: now - KEPT - 3, entries: 1 },
    { day: now - KEPT - 2, entries: 0 },
    { day: now - KEPT - 1, entries: 1 },
  ])
  assert.deepEqual(await db.query('select day from diary.entry'), [{ day: now - KEPT }])
})

test('when what is to be done before fails, nothing is dropped', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT + 1)
  await assert.rejects(
    ensureDays(db, 'diary.entry', KEPT, () => 'select 1 / 0'),
    { code: '22012' },
  )
  assert.deepEqual(await daysOf(db), range(now - KEPT - 1, now + AHEAD))
})

test('rows that came before their partition move into it', async (t) => {
  const db = await setUp(t)
  const now = today()
  for (const day of [now, now + 1, now + 300, 0]) for (const id of [1, 2]) await write(db, day, id)
  assert.deepEqual(await whereIs(db, now), ['diary.entry_other', 'diary.entry_other'])
  await ensureDays(db, 'diary.entry', KEPT)
  for (const day of [now, now + 1]) assert.deepEqual(await whereIs(db, day), Array(2).fill(`diary.entry_${day}`))
  for (const day of [now + 300, 0]) assert.deepEqual(await whereIs(db, day), Array(2).fill('diary.entry_other'))
  await assert.rejects(write(db, now, 1), { code: '23505' }, 'the key holds in the partition, too')
})

test('any number may do it at once, while others write', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT + 2)
  await db.query(`drop table diary.entry_${now}, diary.entry_${now + 1}`)
  let id = 0
  const write100 = async (): Promise<void> => {
    for (let i = 0; i < 50; i++)
      for (const day of [now, now + 1]) {
        const next = ++id
        // On its way into the default partition while its own was attached: it is refused, and written again.
        await write(db, day, next).catch((error: { code?: string }) => {
          assert.equal(error.code, '23514')
          return write(db, day, next)
        })
      }
  }
  await Promise.all([write100(), write100(), ...Array.from({ length: 6 }, () => ensureDays(db, 'diary.entry', KEPT))])
  // Who could not have the table at once has left it to the next call.
  await ensureDays(db, 'diary.entry', KEPT)
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
  assert.deepEqual(await db.query('select count(*) as count from diary.entry'), [{ count: 200 }])
  assert.deepEqual(await db.query('select count(*) as count from diary.entry_other'), [{ count: 0 }])
})

test('a table that others hold (a backup) is left to the next call, and keeps nobody waiting', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT + 1)
  await db.query(`drop table diary.entry_${now + AHEAD}`)
  const backup = await db.connect()
  await backup.query('begin')
  await backup.query('lock table diary.entry in access share mode')
  const ensuring = ensureDays(db, 'diary.entry', KEPT)
  for (let i = 0; i < 20; i++) await write(db, now, i)
  await ensuring
  assert.deepEqual(await daysOf(db), range(now - KEPT - 1, now + AHEAD - 1), 'neither added nor dropped')
  await backup.query('rollback')
  await backup.close()
  await ensureDays(db, 'diary.entry', KEPT)
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
})

test('a day is added while others are in the middle of writing and reading', async (t) => {
  const db = await setUp(t)
  const now = today()
  await ensureDays(db, 'diary.entry', KEPT)
  await db.query(`drop table diary.entry_${now + AHEAD}`)
  const writer = await db.connect()
  await writer.query('begin')
  await writer.query('insert into diary.entry values ($1, 1)', [now])
  // Not prepared: a plan for any day locks all of them, which nothing here does for longer than a moment.
  await writer.query(`select * from diary.entry where day = ${now}`)
  await ensureDays(db, 'diary.entry', KEPT)
  assert.deepEqual(await daysOf(db), range(now - KEPT, now + AHEAD))
  await writer.query('commit')
  await writer.close()
})

test('any other error comes out', async (t) => {
  const db = await testDatabase(t)
  // No such schema, or, on newer servers, no such table.
  await assert.rejects(ensureDays(db, 'diary.entry', KEPT), { code: /^(3F000|42P01)$/ })
})
