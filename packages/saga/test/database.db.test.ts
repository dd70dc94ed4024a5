import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createDatabase, type Database } from '../src/database.ts'
import { transaction } from '../src/transaction.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

/** A database, and a second pool on it that tells its errors and has so many connections. */
async function setUp(t: TestContext, max = 2) {
  const admin = await testDatabase(t)
  const errors: Error[] = []
  const db = createDatabase({
    connectionString: admin.url,
    max,
    applicationName: 'under-test',
    onError: (error) => errors.push(error),
  })
  t.after(() => db.close())
  const cut = (): Promise<unknown> =>
    admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'under-test'`)
  return { admin, db, errors, cut }
}
const pidOf = async (db: Pick<Database, 'query'>): Promise<number> =>
  (await db.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid

test('values arrive as JavaScript has them', async (t) => {
  const { db } = await setUp(t)
  const [row] = await db.query(
    `select 9007199254740991::bigint as big, count(*) as count, 1.5::float8 as float, '{"a":[1]}'::jsonb as json,
       timestamptz '2026-01-02 03:04:05.006Z' as time, $1::text as text, null as nothing, array[1, 2] as list
     from (values (1), (2)) v`,
    ['žába'],
  )
  assert.deepEqual(row, {
    big: 9007199254740991,
    count: 2,
    float: 1.5,
    json: { a: [1] },
    time: new Date('2026-01-02T03:04:05.006Z'),
    text: 'žába',
    nothing: null,
    list: [1, 2],
  })
})

test('a statement with values is prepared once per connection, one without is not', async (t) => {
  const { db } = await setUp(t, 1)
  for (let i = 0; i < 3; i++) await db.query('select $1::int as here', [i])
  await db.query('select 1 as there')
  const prepared = await db.query<{ statement: string }>('select statement from pg_prepared_statements')
  assert.deepEqual(
    prepared.map(({ statement }) => statement),
    ['select $1::int as here'],
  )
})

test('the pool gives out so many connections, and the next one waits', async (t) => {
  const { db } = await setUp(t, 2)
  const leased = [await db.lease(), await db.lease()]
  const { leases, leaseMs, ...counts } = db.stats()
  assert.deepEqual({ leases, ...counts }, { leases: 2, total: 2, idle: 0, waiting: 0 })
  const waiting = db.query<{ one: number }>('select 1 as one')
  assert.equal(db.stats().waiting, 1)
  const third = db.lease()
  const asked = performance.now()
  // Let it wait for a time that can be measured.
  await pause(5)
  leased[0]!.release(false)
  assert.deepEqual(await waiting, [{ one: 1 }])
  leased.push(await third)
  assert.equal(db.stats().leases, 3)
  assert.ok(db.stats().leaseMs - leaseMs >= 4, `${db.stats().leaseMs - leaseMs} of ${performance.now() - asked} ms`)
  leased[2]!.release(false)
  leased[1]!.release(true)
  await until('one connection is left', () => db.stats().total === 1)
})

test('a connection that breaks while it is idle is told of and replaced', async (t) => {
  const { db, errors, cut } = await setUp(t)
  await db.query('select 1')
  await cut()
  await until('the pool has noticed', () => db.stats().total === 0)
  assert.match(errors[0]!.message, /terminating connection/)
  assert.deepEqual(await db.query('select 1 as one'), [{ one: 1 }])
})

test('a connection that breaks while it is leased is told of, and not used again', async (t) => {
  const { db, errors, cut } = await setUp(t, 1)
  const leased = await db.lease()
  const before = await pidOf(leased)
  await cut()
  await until('the break is told of', () => errors.length > 0)
  await assert.rejects(leased.query('select 1'), /connection error|terminat/i)
  leased.release(false)
  assert.notEqual(await pidOf(db), before)
})

test('a prepared statement that the server has given up does not fail for ever', async (t) => {
  const { admin, db } = await setUp(t, 1)
  await admin.query('create table plant (id int primary key)')
  await admin.query('insert into plant values (1)')
  const read = (): Promise<unknown> => transaction(db, (tx) => tx.query('select * from plant where id = $1', [1]))
  assert.deepEqual(await read(), [{ id: 1 }])
  await admin.query(`alter table plant add name text default 'fern'`)
  // What runs while the other version migrates fails once ("cached plan must not change result type"); the next has a new connection.
  await assert.rejects(read(), { code: '0A000' })
  assert.deepEqual(await read(), [{ id: 1, name: 'fern' }])
})

test('values that cannot be sent spoil neither the statement nor the connection', async (t) => {
  const { db } = await setUp(t, 1)
  const text = 'select $1::jsonb as value'
  await assert.rejects(
    transaction(db, (tx) => tx.query(text, [{ big: 1n }])),
    TypeError,
  )
  for (let i = 0; i < 3; i++)
    assert.deepEqual(await transaction(db, (tx) => tx.query(text, [{ small: 1 }])), [{ value: { small: 1 } }])
})

test('a connection of one’s own keeps locks, hears notifications, and tells when it is lost', async (t) => {
  const { admin, db, errors, cut } = await setUp(t)
  const heard: string[] = []
  const connection = await db.connect((payload) => heard.push(payload))
  await connection.query('listen news')
  await connection.query('select pg_advisory_lock(42)')
  await admin.query(`select pg_notify('news', 'žába')`)
  await until('the notification', () => heard.length > 0)
  assert.deepEqual(heard, ['žába'])
  const free = async (): Promise<boolean> =>
    (await admin.query<{ free: boolean }>('select pg_try_advisory_xact_lock(42) as free'))[0]!.free
  assert.equal(await free(), false)
  let lost = false
  void connection.lost.then(() => (lost = true))
  await db.query('select 1')
  assert.equal(lost, false)
  await cut()
  await connection.lost
  assert.ok(errors.length > 0)
  await until('the lock is free', free)
  await assert.rejects(connection.query('select 1'))
  await connection.close()
  await connection.close()
})

test('statements sent at once leave together, and are answered in order', async (t) => {
  const { db } = await setUp(t, 1)
  const leased = await db.lease()
  await leased.query('create temp table step (n int)')
  const answers = await Promise.allSettled([
    leased.query('insert into step values ($1)', [1]),
    leased.query('select 1 / $1::int', [0]),
    leased.query('insert into step values ($1)', [2]),
    leased.query('select array_agg(n order by ctid) as steps from step'),
  ])
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  )
  assert.deepEqual((answers[3] as PromiseFulfilledResult<unknown>).value, [{ steps: [1, 2] }])
  leased.release(false)
})

test('commit tells of a transaction that was rolled back', async (t) => {
  const { db } = await setUp(t, 1)
  const leased = await db.lease()
  await leased.query('begin')
  await assert.rejects(leased.query('select 1 / 0'))
  await assert.rejects(leased.commit(), { code: 'SAGA_COMMIT_LOST' })
  leased.release(false)
})

test('a database that is not there rejects, and closing twice is one closing', async (t) => {
  const { admin, db } = await setUp(t)
  const nowhere = createDatabase({ connectionString: admin.url.replace(/[^/]+$/, 'no_such_database') })
  await assert.rejects(nowhere.query('select 1'), { code: '3D000' })
  await assert.rejects(nowhere.connect(), { code: '3D000' })
  await assert.rejects(nowhere.lease(), { code: '3D000' })
  assert.equal(nowhere.stats().total, 0)
  await Promise.all([nowhere.close(), nowhere.close()])
  await db.query('select 1')
})
