import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  createMemoryLog,
  createMemoryTransport,
  type Database,
  listParked,
  partitionOf,
  SagaError,
} from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  type Behaviour,
  changed,
  changes,
  counted,
  createBench,
  createGate,
  heardOf,
  hearing,
  keysOf,
  moved,
  noting,
  PARTITIONS,
  prepareStock,
  priced,
  range,
  readUpTo,
  recordOf,
  savedOf,
  spelled,
  startStock,
  withoutLocks,
} from './stock.ts'
import { until } from './until.ts'

const setUp = async (t: TestContext) =>
  createBench(t, await testDatabase(t, { template: 'stock', migrate: prepareStock }))
const heardAll = (db: Database, count: number, ...keys: string[]): Promise<string[]> =>
  until(`${count} events heard`, async () => {
    const heard = await heardOf(db, ...keys)
    return heard.length >= count && heard
  })
const inboxSize = async (db: Database): Promise<number> =>
  (await db.query<{ count: number }>('select count(*) from saga.inbox'))[0]!.count
const once = (fn: (count: number) => void): Behaviour => {
  let count = 0
  return () => fn(++count)
}

test('an event that is in a batch twice has one effect', async (t) => {
  const { db, transport, start } = await setUp(t)
  const [first, second] = changes('fern', 1, 2) as [never, never]
  await transport.publish([first, first, second, first, second])
  const { consumer } = await start()
  await readUpTo(db, 5)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
  assert.deepEqual([consumer.stats().consumed, consumer.stats().repeated], [2, 3])
})

test('an event that comes again in a later batch, or to a later instance, has one effect', async (t) => {
  const { db, transport, start } = await setUp(t)
  const records = changes('fern', 1, 3)
  await transport.publish(records)
  const one = await start()
  await heardAll(db, 3)
  await transport.publish(records)
  await readUpTo(db, 6)
  await one.consumer.stop()
  await transport.publish([...records, ...changes('fern', 4, 4)])
  const two = await start()
  await heardAll(db, 4)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2, 3, 4))
  assert.equal(one.consumer.stats().repeated, 3)
  assert.equal(two.consumer.stats().repeated, 3)
})

test('the answers of a batch enter the outbox once, caused by their events', async (t) => {
  const { db, transport, start } = await setUp(t)
  const records = changes('fern', 1, 2)
  await transport.publish([...records, ...records])
  await start({ behave: noting })
  await readUpTo(db, 4)
  const rows = await db.query<{ body: string }>('select body from saga.outbox order by seq')
  assert.deepEqual(
    rows.map(({ body }) => JSON.parse(body).causationId),
    records.map(({ id }) => id),
  )
})

test('two instances that both believe to own a lane: one commits, the other is fenced, both go on', async (t) => {
  const { db, transport, start } = await setUp(t)
  await transport.publish(changes('fern', 1, 3))
  const gate = createGate()
  let inside = 0
  const behave: Behaviour = async () => {
    inside++
    await gate.opened
  }
  const one = await start({ db: withoutLocks(db), behave })
  await until('one is in its transaction', () => inside === 1)
  const two = await start({ db: withoutLocks(db) })
  await until('the other waits for its position', async () => {
    const [row] = await db.query<{ count: number }>(
      `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return row!.count === 1
  })
  gate.open()
  await until('fenced', () => two.errors.some((error) => error instanceof SagaError && error.code === 'SAGA_FENCED'))
  // Without the other, too.
  await one.consumer.stop()
  await transport.publish(changes('fern', 4, 20))
  await heardAll(db, 20)
  await readUpTo(db, 20)
  assert.deepEqual(await heardOf(db), spelled('fern', ...range(1, 20)))
  assert.equal(one.consumer.stats().parked + two.consumer.stats().parked, 0)
})

test('a commit whose answer is lost counts, and is not repeated', async (t) => {
  const { db, transport, start } = await setUp(t)
  let lost = 0
  const losing: Database = {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        async commit() {
          await leased.commit()
          if (lost++ < 2) throw Object.assign(new Error('the answer was lost'), { code: 'ECONNRESET' })
        },
      }
    },
  }
  await transport.publish(changes('fern', 1, 4))
  const { consumer } = await start({ db: losing, batch: 2 })
  await readUpTo(db, 4)
  await transport.publish(changes('fern', 5, 5))
  await readUpTo(db, 5)
  assert.deepEqual(await heardOf(db), spelled('fern', ...range(1, 5)))
  assert.deepEqual([consumer.stats().repeated, consumer.stats().failed], [0, 2])
})

test('a position that another instance has moved on is never moved back', async (t) => {
  const { db, transport, start } = await setUp(t)
  await transport.publish(changes('fern', 1, 3))
  // Between the failure of this batch and its next try, another owner is done with more than the batch held.
  let ahead = false
  const overtaken: Database = {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        async query(text, values) {
          const rows = await leased.query<never>(text, values)
          if (text === 'rollback' && !ahead) {
            ahead = true
            await transport.publish(changes('fern', 4, 9))
            await db.query(`update saga.position set next = 9 where topic = 'stock' and next = 0 and partition = $1`, [
              lane,
            ])
          }
          return rows
        },
      }
    },
  }
  const lane = partitionOf('fern', PARTITIONS)
  const positions: number[] = []
  const fail = once((count) => {
    if (count === 1) throw new Error('only the first time')
  })
  const { errors } = await start({ db: withoutLocks(overtaken), behave: fail })
  await until('fenced', async () => {
    positions.push(await savedOf(db))
    return errors.some((error) => error instanceof SagaError && error.code === 'SAGA_FENCED')
  })
  assert.deepEqual(
    positions.filter((next) => next !== 0 && next !== 9),
    [],
  )
  assert.equal(await savedOf(db), 9)
})

test('what concerns a key comes in order, across types, topics and reactions; unrelated keys come together', async (t) => {
  const { db, transport } = await setUp(t)
  const [one, two] = keysOf(1, 2) as [string, string]
  const calls: string[] = []
  const telling =
    (name: string): Behaviour =>
    (event) =>
      void calls.push(`${name} ${event.key}:${event.data.version}`)
  const kinds = [changed, counted, changed, counted, counted, changed]
  // `one` alternates between the reactions; `two` stays with one of them.
  await transport.publish(
    kinds.flatMap((kind, i) => [
      recordOf(kind({ key: one, version: i + 1 })),
      recordOf(changed({ key: two, version: i + 1 })),
    ]),
  )
  const sizes: number[] = []
  const stock = await startStock({
    db,
    transport,
    reactions: [hearing([changed], telling('changed'), sizes), hearing([counted], telling('counted'), sizes)],
  })
  t.after(() => stock.consumer.stop())
  await heardAll(db, 12)
  assert.deepEqual(await heardOf(db, one), spelled(one, 1, 2, 3, 4, 5, 6))
  assert.deepEqual(await heardOf(db, two), spelled(two, 1, 2, 3, 4, 5, 6))
  // Five rounds for the one that alternates; all of the other ride in the first.
  assert.deepEqual(sizes, [7, 1, 1, 2, 1])
})

test('types that nobody here reads are passed, and their positions saved within about a second', async (t) => {
  const { db, transport, start } = await setUp(t)
  const { consumer } = await start()
  await transport.publish(Array.from({ length: 50 }, (_, i) => recordOf(moved({ key: `k${i}`, version: 1 }))))
  await until('positions saved', async () => (await savedOf(db)) === 50, 3_000)
  await transport.publish([recordOf(moved({ key: 'fern', version: 1 }))])
  await until('the next one passed', () => consumer.stats().skipped === 51)
  await until('its position saved', async () => (await savedOf(db)) === 51, 3_000)
  assert.equal(await inboxSize(db), 0)
  assert.deepEqual(
    (await consumer.lag()).filter(({ behind }) => behind > 0),
    [],
  )
})

test('passed positions are saved at the stop', async (t) => {
  const { db, transport, start } = await setUp(t)
  const { consumer } = await start()
  await transport.publish([recordOf(moved({ key: 'fern', version: 1 }))])
  // The next save is due only a second after this one.
  await until('one saved', async () => (await savedOf(db)) === 1)
  await transport.publish([recordOf(moved({ key: 'fern', version: 2 })), recordOf(moved({ key: 'oak', version: 1 }))])
  await until('all passed', () => consumer.stats().skipped === 3)
  assert.equal(await savedOf(db), 1)
  await consumer.stop()
  assert.equal(await savedOf(db), 3)
})

test('passed records before, between and behind an effect move the position with it', async (t) => {
  const { db, transport, start } = await setUp(t)
  const passed = (version: number) => recordOf(moved({ key: 'fern', version }))
  await transport.publish([
    passed(1),
    passed(2),
    ...changes('fern', 1, 1),
    passed(3),
    ...changes('fern', 2, 2),
    passed(4),
  ])
  await start({ batch: 2 })
  await until('all saved', async () => (await savedOf(db)) === 6)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
})

for (const [name, statement] of [
  ['a deadlock', `do $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$`],
  ['a terminated backend', 'select pg_terminate_backend(pg_backend_pid())'],
] as const)
  test(`${name} repeats the batch, and never parks`, async (t) => {
    const { db, transport, start } = await setUp(t)
    let left = 5
    const { consumer } = await start({
      behave: async (event, tx) => {
        if (event.data.version === 2 && left-- > 0) await tx.query(statement)
      },
    })
    await transport.publish(changes('fern', 1, 2))
    await heardAll(db, 2)
    await readUpTo(db, 2)
    assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
    const tries = await db.query<{ tries: number }>('select tries from heard')
    assert.deepEqual(tries, [{ tries: 6 }, { tries: 6 }])
    assert.equal(consumer.stats().parked, 0)
    assert.deepEqual(await listParked(db), [])
  })

test('after a deadlock each lane goes on by itself, past one that deadlocks again', async (t) => {
  const { db, transport, start } = await setUp(t)
  const [bad] = keysOf(0, 1) as [string]
  const [good] = keysOf(1, 1) as [string]
  let repaired = false
  await transport.publish([...changes(bad, 1, 1), ...changes(good, 1, 1)])
  await start({
    behave: async (event, tx) => {
      if (event.key === bad && !repaired)
        await tx.query(`do $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$`)
    },
  })
  await heardAll(db, 1, good)
  assert.deepEqual(await heardOf(db), spelled(good, 1))
  repaired = true
  await heardAll(db, 1, bad)
})

test('a consumer refuses a log that is not the one its positions were made on', async (t) => {
  const { start } = await setUp(t)
  await start()
  await assert.rejects(start({ transport: createMemoryTransport({ shared: createMemoryLog() }) }), (error) => {
    assert.ok(error instanceof SagaError)
    assert.equal(error.code, 'SAGA_LOG_CHANGED')
    return true
  })
})

test('an offset outside the log stops that lane, loudly, and no other', async (t) => {
  const { db, transport, start } = await setUp(t)
  const first = await start()
  await first.consumer.stop()
  await db.query(`update saga.position set next = 99 where topic = 'stock' and partition = 2`)
  const { consumer, errors } = await start()
  const [lost] = keysOf(2, 1) as [string]
  const [well] = keysOf(3, 1) as [string]
  await transport.publish([...changes(lost, 1, 1), recordOf(priced({ key: lost, version: 1 })), ...changes(well, 1, 2)])
  await heardAll(db, 2)
  assert.deepEqual(await heardOf(db), spelled(well, 1, 2))
  assert.deepEqual([...consumer.stats().stopped.keys()], [2])
  assert.deepEqual(
    errors.map((error) => error instanceof SagaError && error.code),
    ['SAGA_OFFSET_OUT_OF_LOG'],
  )
})

test('stop() lets the running batch commit, and nothing comes after it', async (t) => {
  const { db, transport, start } = await setUp(t)
  const gate = createGate()
  let inside = false
  const { consumer } = await start({
    behave: async () => {
      inside = true
      await gate.opened
    },
  })
  await transport.publish(changes('fern', 1, 2))
  await until('the batch runs', () => inside)
  let stopped = false
  const stop = consumer.stop().then(() => (stopped = true))
  await transport.publish(changes('fern', 3, 4))
  assert.equal(stopped, false)
  gate.open()
  await stop
  await consumer.stop()
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2))
  assert.equal(await savedOf(db), 2)
  await start()
  await heardAll(db, 4)
  assert.deepEqual(await heardOf(db), spelled('fern', 1, 2, 3, 4))
})

test('stop() between the tries of an event leaves it to the next owner, unparked', async (t) => {
  const { db, transport, start } = await setUp(t)
  let tries = 0
  const { consumer } = await start({
    behave() {
      tries++
      throw new Error('no luck')
    },
  })
  await transport.publish(changes('fern', 1, 1))
  await until('a try', () => tries > 0)
  await consumer.stop()
  assert.ok(tries < 4)
  assert.deepEqual(await listParked(db), [])
  await start()
  await heardAll(db, 1)
})
