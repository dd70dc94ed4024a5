import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Database } from '../src/database.ts'
import { migrate } from '../src/migrate.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

/** A database, and a folder of migrations that a test fills. */
async function setUp(t: TestContext) {
  const db = await testDatabase(t)
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(folder, { recursive: true }))
  return {
    db,
    directory: pathToFileURL(`${folder}/`),
    write: (name: string, text: string) => writeFile(join(folder, name), text),
    remove: (name: string) => rm(join(folder, name)),
    run: () => migrate(db, { schema: 'shop', directory: pathToFileURL(`${folder}/`) }),
  }
}
const ranOf = async (db: Database): Promise<string[]> =>
  (await db.query<{ name: string }>('select name from shop.migration order by ran_at')).map(({ name }) => name)
const fails = (message: RegExp) => ({ name: 'SagaError', code: 'SAGA_MIGRATION', message })

test('runs each file once, in the order of their numbers', async (t) => {
  const { db, write, run } = await setUp(t)
  await write(
    '002_name.sql',
    `alter table shop.plant add name text not null default 'fern'; insert into shop.plant values (2)`,
  )
  await write(
    '001_plant.sql',
    'create table shop.plant (id int primary key); insert into shop.plant values (1) -- the first',
  )
  await write('README.md', 'not a migration')
  await run()
  await run()
  await write('010_more.sql', 'insert into shop.plant values (10)')
  await run()
  assert.deepEqual(await ranOf(db), ['001_plant.sql', '002_name.sql', '010_more.sql'])
  assert.deepEqual(await db.query('select id, name from shop.plant order by id'), [
    { id: 1, name: 'fern' },
    { id: 2, name: 'fern' },
    { id: 10, name: 'fern' },
  ])
})

test('a folder may be given with or without the slash', async (t) => {
  const { db, directory, write } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int)')
  await migrate(db, { schema: 'shop', directory: new URL(directory.href.slice(0, -1)) })
  assert.deepEqual(await ranOf(db), ['001_plant.sql'])
})

test('several at once: each file runs once, and all wait for it', async (t) => {
  const { db, write, run } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int); select pg_sleep(0.05)')
  await write('002_rows.sql', 'insert into shop.plant values (1)')
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      await run()
      assert.deepEqual(await db.query('select id from shop.plant'), [{ id: 1 }])
    }),
  )
  assert.deepEqual(await ranOf(db), ['001_plant.sql', '002_rows.sql'])
})

test('a file that ran and has changed is refused, and so is one that has gone', async (t) => {
  const { db, write, remove, run } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int)')
  await run()
  await write('001_plant.sql', 'create table shop.plant (id bigint)')
  await write('002_more.sql', 'insert into shop.plant values (1)')
  await assert.rejects(run(), fails(/^migration 001_plant\.sql has changed/))
  await remove('001_plant.sql')
  await assert.rejects(run(), fails(/ran migration 001_plant\.sql, which this version does not have/))
  assert.deepEqual(await ranOf(db), ['001_plant.sql'])
  assert.deepEqual(await db.query('select * from shop.plant'), [])
})

test('a file that fails leaves nothing of itself, and is named', async (t) => {
  const { db, write, run } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int)')
  await write('002_bad.sql', 'insert into shop.plant values (1);\ninsert into shop.plant values (1 / 0);')
  await write('003_never.sql', 'insert into shop.plant values (3)')
  await assert.rejects(run(), (error) => {
    assert.ok(error instanceof Error && error.cause instanceof Error && 'code' in error.cause)
    assert.match(error.message, /^migration 002_bad\.sql failed: division by zero$/)
    assert.equal(error.cause.code, '22012')
    return true
  })
  assert.deepEqual(await ranOf(db), ['001_plant.sql'])
  assert.deepEqual(await db.query('select * from shop.plant'), [])
  await write('002_bad.sql', 'insert into shop.plant values (2)')
  await run()
  assert.deepEqual(await db.query('select * from shop.plant order by id'), [{ id: 2 }, { id: 3 }])
})

test('one that dies half way leaves nothing, and lets the next one in', async (t) => {
  const { db, write, run } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int); select pg_sleep(60)')
  const dying = assert.rejects(run(), fails(/^migration 001_plant\.sql failed: /))
  await until('the migration runs', async () => {
    const cut = await db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`,
    )
    return cut.length > 0
  })
  await dying
  await write('001_plant.sql', 'create table shop.plant (id int)')
  await run()
  assert.deepEqual(await ranOf(db), ['001_plant.sql'])
})

test('a name that does not say its place is refused before anything runs', async (t) => {
  const { db, write, remove, run } = await setUp(t)
  await write('001_plant.sql', 'create table shop.plant (id int)')
  for (const name of ['2_more.sql', '002-more.sql', 'more.sql', '001_other.sql', '002_More.sql']) {
    await write(name, 'select 1')
    await assert.rejects(run(), fails(/must be named NNN_what\.sql with a number of its own/), name)
    await remove(name)
  }
  assert.deepEqual(await db.query(`select from pg_namespace where nspname = 'shop'`), [])
  await assert.rejects(
    migrate(db, { schema: 'shop; drop schema public', directory: new URL('file:///nowhere/') }),
    fails(/is no name for a schema/),
  )
})
