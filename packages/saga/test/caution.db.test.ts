import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { createPostgresTransport, type Database } from '../src/index.ts'
import { createLanes } from '../src/lanes.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { bear, ended, type Mortal } from './mortal.ts'
import {
  changed,
  changes,
  createBench,
  createGate,
  heardOf,
  keysOf,
  parkedAre,
  PARTITIONS,
  prepareStock,
  range,
  readUpTo,
  recordOf,
  spelled,
  startStock,
  versionsOf,
  withoutLocks,
} from './stock.ts'
import { until } from './until.ts'

const stockDatabase = (t: TestContext) => testDatabase(t, { template: 'stock', migrate: prepareStock })
const setUp = async (t: TestContext) => createBench(t, await stockDatabase(t))

/** A service whose instances are processes. */
async function setUpProcesses(t: TestContext, mortal: Pick<Mortal, 'deadly' | 'how'>) {
  const db = await stockDatabase(t)
  const log = await testDatabase(t)
  const transport = await createPostgresTransport({ db: log })
  await transport.ensureTopics(['stock', 'price'], PARTITIONS)
  const children: ChildProcess[] = []
  t.after(async () => {
    await Promise.all(children.map((child) => ended(child, true)))
    await transport.close()
  })
  return {
    db,
    transport,
    children,
    deaths: () => children.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null).length,
    bear(): ChildProcess {
      const child = bear({ serviceUrl: db.url, logUrl: log.url, ...mortal })
      children.push(child)
      return child
    },
  }
}

/** Rounds of all these keys, each key's versions in order. */
const roundsOf = (keys: readonly string[], from: number, to: number) =>
  range(from, to).flatMap((version) => keys.map((key) => recordOf(changed({ key, version }))))

for (const [how, rounds] of [
  ['SIGKILL', 4],
  ['exit', 60],
] as const)
  test(`an event that ends its process (${how}, ${rounds * 8} events waiting) does so three times, then its key is parked, and only that`, async (t) => {
    const [sick, ...sound] = range(0, PARTITIONS - 1).flatMap((lane) => keysOf(lane, 2)) as [string, ...string[]]
    const { db, transport, deaths, bear } = await setUpProcesses(t, { deadly: [`${sick}:3`], how })
    await transport.publish(roundsOf([sick, ...sound], 1, rounds))
    for (let child = bear(); ;) {
      const survivor = await Promise.race([ended(child), readUpTo(db, rounds * 8).then(() => child)])
      if (survivor) break
      child = bear()
    }
    assert.equal(deaths(), 3)
    const [parked] = await parkedAre(db, sick)
    assert.match(parked?.error ?? '', /^stock\.changed at stock\/\d\/\d+ ended the process 3 times/)
    assert.deepEqual([parked?.attempts, versionsOf(parked)], [3, range(3, rounds)])
    for (const key of sound) assert.deepEqual(await heardOf(db, key), spelled(key, ...range(1, rounds)))
    assert.deepEqual(await heardOf(db, sick), spelled(sick, 1, 2))

    // It goes on as if nothing had been, and what comes of that key waits.
    await transport.publish(roundsOf([sick, ...sound], rounds + 1, rounds + 1))
    await readUpTo(db, (rounds + 1) * 8)
    // Somebody mends it. While the key is redriven, more of it comes.
    const { consumer } = await startStock({ db, transport })
    t.after(() => consumer.stop())
    const redriven = consumer.redrive(sick)
    await transport.publish(roundsOf([sick], rounds + 2, rounds + 9))
    assert.ok((await redriven) >= rounds - 1)
    await until('all heard', async () => (await heardOf(db, sick)).length === rounds + 9)
    assert.deepEqual(await heardOf(db, sick), spelled(sick, ...range(1, rounds + 9)))
    assert.equal(deaths(), 3)
  })

test('of five instances an event ends three, one after the other; the others go on', async (t) => {
  const [sick, ...sound] = range(0, PARTITIONS - 1).flatMap((lane) => keysOf(lane, 2)) as [string, ...string[]]
  const { db, transport, deaths, bear } = await setUpProcesses(t, { deadly: [`${sick}:2`], how: 'SIGKILL' })
  for (const _ of range(1, 5)) bear()
  await until('all five are members', async () => (await membersOf(db)) === 5)
  await transport.publish(roundsOf([sick, ...sound], 1, 20))
  await readUpTo(db, 160)
  assert.deepEqual(versionsOf((await parkedAre(db, sick))[0]), range(2, 20))
  assert.equal(deaths(), 3)
  assert.equal(await membersOf(db), 2)
  for (const key of sound) assert.deepEqual(await heardOf(db, key), spelled(key, ...range(1, 20)))
})

async function membersOf(db: Database): Promise<number> {
  const rows = await db.query(
    `select from pg_locks where locktype = 'advisory' and classid = 2 and granted
       and database = (select oid from pg_database where datname = current_database())`,
  )
  return rows.length
}

/** What a holder of all lanes leaves behind that is killed: after it had tried the first `tried` records of a lane with care, or not. */
const leaveBehind = (db: Database, tried: Record<number, number> = {}, kills = 0): Promise<unknown> =>
  db.query(
    `insert into saga.lane (lane, holder, kills, tried, trying)
     select lane, -1, $2, case when $3::jsonb ? lane::text then jsonb_build_object('stock', jsonb_build_array(0, $3::jsonb -> lane::text)) end, true
     from generate_series(0, $1::int - 1) lane`,
    [PARTITIONS, kills, JSON.stringify(tried)],
  )
const lanesOf = (db: Database) => db.query('select lane, kills, tried, trying, xmin::text from saga.lane order by lane')
const passing = `do $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$`

test('a clean stop leaves nothing behind; meanwhile nothing is written about lanes', async (t) => {
  const { db, transport, start } = await setUp(t)
  const { consumer, calls } = await start()
  await transport.publish(roundsOf(['fern', 'oak'], 1, 100))
  await readUpTo(db, 200)
  const held = await lanesOf(db)
  assert.equal(held.length, PARTITIONS)
  await transport.publish(roundsOf(['fern', 'oak'], 101, 200))
  await readUpTo(db, 400)
  assert.deepEqual(await lanesOf(db), held)
  assert.ok(calls.length < 20)
  await consumer.stop()
  assert.deepEqual(await lanesOf(db), [])
})

test('after a crash, few events are tried one by one', async (t) => {
  const { db, transport, start } = await setUp(t)
  await leaveBehind(db)
  await transport.publish(roundsOf(['fern', 'oak'], 1, 10))
  const { consumer, calls } = await start()
  await readUpTo(db, 20)
  assert.deepEqual(
    calls,
    range(1, 20).map(() => 1),
  )
  // Whatever comes from then on is as always.
  await transport.publish(roundsOf(['fern', 'oak'], 11, 30))
  await readUpTo(db, 60)
  assert.ok(calls.length < 30)
  await consumer.stop()
  assert.deepEqual(await lanesOf(db), [])
})

test('after a crash, a backlog is taken in batches, each written down before', async (t) => {
  const { db, transport, start } = await setUp(t)
  await leaveBehind(db)
  await transport.publish(roundsOf(['fern', 'oak'], 1, 500))
  const trying: unknown[] = []
  const { calls } = await start({
    async behave({ data }) {
      if (data.version % 100 === 1)
        trying.push(await db.query('select from saga.lane where trying and tried is not null'))
    },
  })
  await readUpTo(db, 1000)
  assert.ok(calls.length < 60, `${calls.length} calls`)
  assert.ok(trying.length > 0 && trying.every((rows) => (rows as unknown[]).length > 0))
})

test('what was under way at the second end is tried one by one, and nothing sound is parked', async (t) => {
  const { db, transport, start } = await setUp(t)
  const [key] = keysOf(2, 1) as [string]
  await leaveBehind(db, { 2: 80 }, 1)
  await transport.publish(changes(key, 1, 200))
  const { consumer, calls } = await start()
  await readUpTo(db, 200)
  assert.deepEqual(
    calls.slice(0, 80),
    range(1, 80).map(() => 1),
  )
  assert.ok(calls.length < 90)
  assert.deepEqual(await heardOf(db), spelled(key, ...range(1, 200)))
  assert.equal(consumer.stats().parked, 0)
})

test('an event that fails while it is under suspicion is not blamed when its instance stops', async (t) => {
  const { db, transport, start } = await setUp(t)
  const [key] = keysOf(2, 1) as [string]
  await leaveBehind(db, { 2: 1 }, 1)
  await transport.publish(changes(key, 1, 1))
  let fails = true
  let tries = 0
  const behave = async (_: unknown, tx: { query(text: string): Promise<unknown> }): Promise<void> => {
    tries++
    if (fails) await tx.query(passing)
  }
  for (const _ of range(1, 3)) {
    const { consumer } = await start({ behave })
    const before = tries
    await until('two tries', () => tries >= before + 2)
    await consumer.stop()
    assert.deepEqual(
      (await lanesOf(db)).map(({ lane, kills, trying }) => [lane, kills, trying]),
      [[2, 2, false]],
    )
  }
  fails = false
  const { consumer } = await start({ behave })
  await readUpTo(db, 1)
  assert.deepEqual([await heardOf(db), consumer.stats().parked], [spelled(key, 1), 0])
})

test('a suspect lane that cannot go on keeps no other lane waiting', async (t) => {
  const { db, transport, start } = await setUp(t)
  const [stuck] = keysOf(0, 1) as [string]
  const [suspect] = keysOf(1, 1) as [string]
  const [well] = keysOf(2, 1) as [string]
  await leaveBehind(db, { 0: 2, 1: 2 }, 1)
  await db.query('delete from saga.lane where lane > 1')
  await transport.publish(roundsOf([stuck, suspect, well], 1, 2))
  await start({
    async behave({ key }, tx) {
      if (key === stuck) await tx.query(passing)
    },
  })
  await until('the others heard', async () => (await heardOf(db, suspect, well)).length === 4)
})

test('an event that throws while it is under suspicion is parked after its tries, as always', async (t) => {
  const { db, transport, start, bad } = await setUp(t)
  const [key] = keysOf(1, 1) as [string]
  await leaveBehind(db)
  bad.add(`${key}:2`)
  await transport.publish(changes(key, 1, 4))
  await start()
  const [parked] = await parkedAre(db, key)
  assert.equal(parked?.attempts, 4)
  await readUpTo(db, 4)
  assert.deepEqual([await heardOf(db), versionsOf((await parkedAre(db, key))[0])], [spelled(key, 1), [2, 3, 4]])
})

test('two services in one process try one after the other, so that only one of them is blamed', async (t) => {
  const one = await setUp(t)
  const two = await setUp(t)
  const gate = createGate()
  let inside = false
  // Also when this test fails: nothing of it can stop before.
  t.after(gate.open)
  for (const { db, transport } of [one, two]) {
    await leaveBehind(db)
    await transport.publish(changes('fern', 1, 1))
  }
  await one.start({
    async behave() {
      inside = true
      await gate.opened
    },
  })
  await until('one tries', () => inside)
  let polled = false
  await two.start({
    transport: {
      ...two.transport,
      reader() {
        const reader = two.transport.reader()
        return {
          ...reader,
          async poll(...asked) {
            const records = await reader.poll(...asked)
            polled ||= records.length > 0
            return records
          },
        }
      },
    },
  })
  await until('the other has something to try', () => polled)
  // Time enough to write it down.
  for (const _ of range(1, 20)) await two.db.query('select')
  assert.deepEqual(await two.db.query('select from saga.lane where trying and tried is not null'), [])
  assert.equal((await one.db.query('select from saga.lane where trying and tried is not null')).length, 1)
  gate.open()
  await Promise.all([readUpTo(one.db, 1), readUpTo(two.db, 1)])
})

test('a member that lost its lanes but lives is not thought to have ended', async (t) => {
  const db = await stockDatabase(t)
  const [one, two] = [createLanes(withoutLocks(db), 4), createLanes(withoutLocks(db), 4)]
  for (const lanes of [one, two]) t.after(() => lanes.close())
  await one.balance()
  await two.balance()
  assert.deepEqual([two.owned.size, two.suspects.size], [4, 0])
})

test('who gives a suspect lane back leaves it suspect; one that is not leaves nothing', async (t) => {
  const db = await stockDatabase(t)
  await leaveBehind(db)
  const [one, two] = [createLanes(db, PARTITIONS), createLanes(db, PARTITIONS)]
  for (const lanes of [one, two]) t.after(() => lanes.close())
  await one.balance()
  assert.deepEqual(new Set(one.suspects.keys()), new Set([0, 1, 2, 3]))
  one.suspects.delete(2)
  await one.close()
  await two.balance()
  assert.deepEqual([two.owned.size, new Set(two.suspects.keys())], [4, new Set([0, 1, 3])])
})
