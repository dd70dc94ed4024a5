import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Database } from '../src/index.ts'
import { createLanes, type Lanes } from '../src/lanes.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  changed,
  changes,
  createBench,
  heardOf,
  keysOf,
  PARTITIONS,
  prepareStock,
  range,
  readUpTo,
  recordOf,
  spelled,
} from './stock.ts'
import { until } from './until.ts'

/** Members of one database, balanced until they own so many lanes each, and no lane has two owners. */
async function setUp(t: TestContext) {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  const members: Lanes[] = []
  const join = (): Lanes => {
    const lanes = createLanes(db, 16)
    members.push(lanes)
    t.after(() => lanes.close())
    return lanes
  }
  const settle = (...sizes: number[]): Promise<unknown> =>
    until(`lanes shared ${sizes.join(', ')}`, async () => {
      for (const member of members) await member.balance()
      const owned = members.flatMap((member) => [...member.owned])
      assert.equal(new Set(owned).size, owned.length, 'a lane has one owner')
      return members.map(({ owned }) => owned.size).join() === sizes.join()
    })
  return { db, join, settle, members }
}

/** Ends the connection by which the owner of this lane owns it, or all of that database's. */
const cutLocks = (db: Database, lane?: number): Promise<unknown> =>
  db.query(
    `select pg_terminate_backend(pid) from pg_locks
     where locktype = 'advisory' and classid = 3 and ($1::int is null or objid = $1)
       and database = (select oid from pg_database where datname = current_database())`,
    [lane ?? null],
  )

test('lanes are shared fairly, given back to newcomers, and taken over from those who leave', async (t) => {
  const { join, settle, members } = await setUp(t)
  const first = join()
  assert.equal((await first.balance()).length, 16)
  join()
  await settle(8, 8)
  join()
  await settle(6, 6, 4)
  await members.shift()?.close()
  await settle(8, 8)
  await members.shift()?.close()
  await settle(16)
})

test('more members than lanes: some wait for one', async (t) => {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  const members = [createLanes(db, 1), createLanes(db, 1)] as const
  for (const member of members) t.after(() => member.close())
  assert.deepEqual(await members[0].balance(), [0])
  assert.deepEqual(await members[1].balance(), [])
  await members[0].close()
  await until('taken over', async () => (await members[1].balance()).length === 1)
})

test('a member whose connection ends owns nothing; the others take over, and it comes back', async (t) => {
  const { db, join, settle, members } = await setUp(t)
  const [one, two] = [join(), join()]
  await settle(8, 8)
  await cutLocks(db, [...one.owned][0]!)
  await until('it knows', () => one.owned.size === 0)
  members.shift()
  await settle(16)
  members.unshift(one)
  await settle(8, 8)
  assert.equal(two.owned.size, 8)
})

test('a member that failed to look leaves, rather than hold lanes that it does not know of', async (t) => {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  let fail = true
  const failing: Database = {
    ...db,
    async connect() {
      const connection = await db.connect()
      return {
        ...connection,
        async query(text, values) {
          const rows = await connection.query<never>(text, values)
          // The server has given the locks; the answer does not arrive.
          if (fail && text.includes('pg_try_advisory_lock')) throw new Error('canceled')
          return rows
        },
      }
    },
  }
  const lanes = createLanes(failing, 4)
  t.after(() => lanes.close())
  await assert.rejects(lanes.balance(), /canceled/)
  fail = false
  const other = createLanes(db, 4)
  t.after(() => other.close())
  await until('the locks are free', async () => (await other.balance()).length === 4)
})

test('instances come and go under load: nothing is lost, doubled, or out of order', async (t) => {
  const { db, transport, start } = await createBench(
    t,
    await testDatabase(t, { template: 'stock', migrate: prepareStock }),
  )
  const keys = range(0, PARTITIONS - 1).flatMap((lane) => keysOf(lane, 5))
  let version = 0
  const publish = async (count: number): Promise<void> => {
    for (const end = version + count; version < end;) {
      version++
      const records = keys.map((key) => recordOf(changed({ key, version })))
      await transport.publish([...records, ...records.slice(0, version % 7)])
    }
  }
  const waiting = async (): Promise<number> => {
    const [row] = await db.query<{ heard: number }>('select count(*)::int as heard from heard')
    return version * keys.length - row!.heard
  }
  // The load goes on all the time, and no faster than it is worked off: how long this takes is up to the lanes.
  const shared = (...sizes: number[]): Promise<unknown> =>
    until(`lanes shared ${sizes.join(', ')}`, async () => {
      if ((await waiting()) < 20 * keys.length) await publish(1)
      return instances.map(({ consumer }) => consumer.stats().lanes).join() === sizes.join()
    })
  const instances = [await start({ batch: 40 })]
  await publish(20)
  await shared(4)
  instances.push(await start({ batch: 40 }))
  await shared(2, 2)
  // One is cut off from its locks: the other takes all, and gives half back.
  await cutLocks(db, 0)
  await shared(2, 2)
  await instances.shift()?.consumer.stop()
  await shared(4)
  instances.push(await start({ batch: 40 }))
  await shared(2, 2)
  await cutLocks(db)
  await publish(20)
  await until('all heard', async () => (await waiting()) <= 0)
  const repeats = range(1, version).reduce((sum, n) => sum + (n % 7), 0)
  await readUpTo(db, version * keys.length + repeats)
  for (const key of keys) assert.deepEqual(await heardOf(db, key), spelled(key, ...range(1, version)))
})

test('a newcomer need not wait for a running batch to start', async (t) => {
  const { transport, start } = await createBench(t, await testDatabase(t, { template: 'stock', migrate: prepareStock }))
  const { promise, resolve } = Promise.withResolvers<void>()
  let inside = false
  await start({
    behave() {
      inside = true
      return promise
    },
  })
  await transport.publish(changes('fern', 1, 1))
  await until('the batch runs', () => inside)
  await start()
  resolve()
})
