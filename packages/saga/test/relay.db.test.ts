import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Connection, Database, Row } from '../src/database.ts'
import { createMemoryLog, createMemoryTransport } from '../src/memory.ts'
import { migrate } from '../src/migrate.ts'
import { createRelay, type Relay } from '../src/relay.ts'
import { transaction } from '../src/transaction.ts'
import type { LogRecord } from '../src/transport.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

/** What was published, in order: `<key> <version>`. `before` runs first, and may reject or wait. */
function createLog(before: (records: readonly LogRecord[]) => unknown = () => {}) {
  const log = {
    published: [] as string[],
    calls: 0,
    before,
    async publish(records: readonly LogRecord[]) {
      log.calls++
      await log.before(records)
      log.published.push(...records.map(textOf))
    },
  }
  return log
}
const textOf = ({ key, body }: LogRecord): string => `${key} ${body}`

async function setUp(t: TestContext) {
  const db = await testDatabase(t, {
    template: 'saga',
    migrate: (fresh) => migrate(fresh, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) }),
  })
  const errors: Error[] = []
  const start = (
    options: Partial<Parameters<typeof createRelay>[0]> & Pick<Parameters<typeof createRelay>[0], 'transport'>,
  ): Relay => {
    const relay = createRelay({ db, onError: (error) => errors.push(error), ...options })
    t.after(() => relay.stop())
    relay.start()
    return relay
  }
  /** Commits one event each, as `<key> <version>`. */
  const commit = (...events: string[]): Promise<void> =>
    transaction(db, async (tx) => {
      for (const event of events) tx.outbox.push(rowOf(event))
    })
  const waiting = async (): Promise<string[]> =>
    (await db.query<LogRecord & Row>('select key, body from saga.outbox order by seq')).map(textOf)
  const drained = (): Promise<unknown> => until('the outbox is empty', async () => (await waiting()).length === 0)
  return { db, errors, start, commit, waiting, drained }
}
function rowOf(event: string): LogRecord {
  const [key, version] = event.split(' ') as [string, string]
  return { id: randomUUIDv7(), topic: 'plant', key, type: 'plant.changed', body: version }
}
const range = (count: number, of: (i: number) => string): string[] => Array.from({ length: count }, (_, i) => of(i))
/** The first occurrence of each. */
const firsts = (events: readonly string[]): string[] => [...new Set(events)]
const ofKey = (events: readonly string[], key: string): string[] =>
  events.filter((event) => event.startsWith(`${key} `))
const refuse = (bad: (record: LogRecord) => boolean) => (records: readonly LogRecord[]) => {
  if (records.some(bad)) throw new Error('refused')
}
const gone = (): Error => Object.assign(new Error('the log is away'), { code: 'ECONNREFUSED' })

test('what is committed is published in order, and then deleted', async (t) => {
  const { start, commit, drained } = await setUp(t)
  const log = createLog()
  const before = range(25, (i) => `fern ${i}`)
  await commit(...before)
  const relay = start({ transport: log, batch: 10 })
  await drained()
  assert.deepEqual(log.published, before)
  for (let i = 0; i < 20; i++) await commit(`moss ${i}`, `ivy ${i}`)
  await drained()
  assert.deepEqual(log.published, [...before, ...range(40, (i) => `${i % 2 ? 'ivy' : 'moss'} ${i >> 1}`)])
  assert.equal(relay.stats().published, 65)
})

test('an event that commits late, behind those that came after it, is not lost', async (t) => {
  const { db, start, commit, drained } = await setUp(t)
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const log = createLog(() => gate)
  // It takes its number from the sequence now, and commits while the relay publishes a later one.
  const late = await db.connect()
  await late.query('begin')
  await late.query(
    `insert into saga.outbox (id, topic, key, type, body) values ($1, 'plant', 'late', 'plant.changed', '0')`,
    [randomUUIDv7()],
  )
  await commit('early 0')
  start({ transport: log })
  await until('the relay publishes', () => log.calls === 1)
  await late.query('commit')
  await late.close()
  open()
  await drained()
  assert.deepEqual(log.published, ['early 0', 'late 0'])
})

test('a relay that dies after it has published, before it has deleted, repeats in order', async (t) => {
  const { db, errors, start, commit, drained } = await setUp(t)
  const events = range(30, (i) => `${['fern', 'moss', 'ivy'][i % 3]} ${i}`)
  await commit(...events)
  const log = createLog()
  log.before = async () => {
    if (log.calls > 3) return
    // Its connection is the one that holds the lock of the leader.
    const cut = await db.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 1
       and database = (select oid from pg_database where datname = current_database())`,
    )
    assert.equal(cut.length, 1)
  }
  start({ transport: log, batch: 10 })
  await drained()
  assert.deepEqual(log.published.slice(0, 20), [...events.slice(0, 10), ...events.slice(0, 10)], 'the same ones again')
  assert.deepEqual(firsts(log.published), events)
  assert.ok(errors.length >= 3)
})

test('a log that is away is tried again until it is back', async (t) => {
  const { errors, start, commit, waiting, drained } = await setUp(t)
  let away = true
  const log = createLog(() => {
    if (away) throw gone()
  })
  start({ transport: log })
  await commit('fern 0', 'moss 0')
  await until('it was tried again', () => log.calls >= 3)
  assert.deepEqual(await waiting(), ['fern 0', 'moss 0'])
  away = false
  await drained()
  assert.deepEqual(log.published, ['fern 0', 'moss 0'])
  assert.match(errors[0]!.message, /the log is away/)
})

test('a key that the log refuses is held back, all others go on, and it stays in order', async (t) => {
  const { errors, start, commit, waiting, drained } = await setUp(t)
  const log = createLog(refuse(({ key, body }) => key === 'bad' && body === '1'))
  const relay = start({ transport: log })
  await commit('good 0', 'bad 0', 'bad 1', 'good 1', 'bad 2', 'other 0')
  await until('the others are out', async () => (await waiting()).length === 2)
  assert.deepEqual(log.published, ['good 0', 'bad 0', 'good 1', 'other 0'])
  await commit('good 2', 'bad 3')
  await until('the later one is out', async () => !(await waiting()).includes('good 2'))
  assert.ok(log.published.includes('good 2'))
  assert.deepEqual(await waiting(), ['bad 1', 'bad 2', 'bad 3'])
  assert.equal(relay.stats().held, 1)
  assert.match(errors[0]!.message, /the log refuses plant\.changed .* key "bad" is held back and tried again in 500 ms/)
  log.before = () => {}
  await drained()
  assert.deepEqual(
    ofKey(log.published, 'bad'),
    range(4, (i) => `bad ${i}`),
  )
  assert.equal(relay.stats().held, 0)
})

test('one refused event among a thousand is found in a few tries', async (t) => {
  const { start, commit, waiting } = await setUp(t)
  let calls = 0
  const log = createLog((records) => {
    if (log.published.length < 999) calls++
    refuse(({ key }) => key === 'key-700')(records)
  })
  await commit(...range(1000, (i) => `key-${i} 0`))
  start({ transport: log })
  await until('the others are out', async () => (await waiting()).length === 1)
  assert.equal(firsts(log.published).length, 999)
  // Each halving is two calls.
  assert.ok(calls <= 21, `${calls} calls`)
})

test('a held event that is deleted by hand is forgotten', async (t) => {
  const { db, start, commit } = await setUp(t)
  const log = createLog(refuse(() => true))
  const relay = start({ transport: log })
  await commit('bad 0')
  await until('it is held', () => relay.stats().held === 1)
  await db.query('delete from saga.outbox')
  await until('it is forgotten', () => relay.stats().held === 0)
})

test('two relays at once only repeat: the first occurrences of each key are in order', async (t) => {
  const { db, errors, start, commit, drained } = await setUp(t)
  // As when the leader was believed to be gone: both get the lock.
  const believing: Database = {
    ...db,
    async connect(onNotification) {
      const connection = await db.connect(onNotification)
      const query = async (text: string, values?: readonly unknown[]) =>
        text.includes('pg_try_advisory_lock') ? [{ ok: true }] : connection.query(text, values)
      return { ...connection, query } as Connection
    },
  }
  const log = createLog(() => new Promise(setImmediate))
  const relays = [1, 2].map(() => start({ db: believing, transport: log, batch: 7 }))
  const keys = ['fern', 'moss', 'ivy', 'reed']
  for (let i = 0; i < 60; i++) await commit(...keys.map((key) => `${key} ${i}`))
  await drained()
  for (const key of keys)
    assert.deepEqual(
      firsts(ofKey(log.published, key)),
      range(60, (i) => `${key} ${i}`),
      key,
    )
  assert.equal(firsts(log.published).length, 240)
  assert.ok(relays.every((relay) => relay.stats().leader && relay.stats().published > 0))
  assert.deepEqual(errors, [])
})

test('one of two relays leads; the other takes over when the leader loses its connection', async (t) => {
  const { db, start, commit, drained } = await setUp(t)
  let mayConnect = true
  const logs = [createLog(), createLog()] as const
  const first = start({
    db: {
      ...db,
      connect: async (onNotification) => {
        if (!mayConnect) throw gone()
        return db.connect(onNotification)
      },
    },
    transport: logs[0],
  })
  await until('the first leads', () => first.stats().leader)
  const second = start({ transport: logs[1] })
  await commit('fern 0')
  await drained()
  assert.deepEqual([logs[0].published, logs[1].published, second.stats().leader], [['fern 0'], [], false])
  mayConnect = false
  await db.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 1 and granted
     and database = (select oid from pg_database where datname = current_database())`,
  )
  await until('the second leads', () => second.stats().leader)
  await commit('fern 1')
  await drained()
  assert.deepEqual([logs[0].published, logs[1].published], [['fern 0'], ['fern 1']])
  await until('the first has noticed', () => !first.stats().leader)
})

test('a follower takes over when the leader stops', async (t) => {
  const { start, commit, drained } = await setUp(t)
  const log = createLog()
  const first = start({ transport: log })
  await until('the first leads', () => first.stats().leader)
  const second = start({ transport: log })
  await first.stop()
  assert.equal(first.stats().leader, false)
  await commit('fern 0')
  await drained()
  assert.ok(second.stats().leader)
})

test('what a follower’s process commits wakes the leader, long before it would look by itself', async (t) => {
  const { db, start } = await setUp(t)
  const shared = createMemoryLog()
  const log = createLog()
  // A process of its own has a database of its own, which tells of its commits alone.
  const process = () => {
    const listeners = new Set<() => void>()
    const { hint, onHint } = createMemoryTransport({ shared })
    const own: Database = {
      ...db,
      onAppended: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      appended: () => {
        for (const listener of listeners) listener()
      },
    }
    return { own, relay: start({ db: own, transport: { publish: log.publish, hint, onHint } }) }
  }
  const leader = process()
  await until('one leads', () => leader.relay.stats().leader)
  const follower = process()
  const from = performance.now()
  for (let i = 0; i < 20; i++) {
    await transaction(follower.own, async (tx) => void tx.outbox.push(rowOf(`fern ${i}`)))
    await until('it is published', () => log.published.length === i + 1)
  }
  // 20 looks of half a second would take ten seconds.
  assert.ok(performance.now() - from < 5_000, `${performance.now() - from} ms`)
  assert.equal(follower.relay.stats().leader, false)
})

test('a lost wake-up costs half a second, not the event', async (t) => {
  const { db, start, drained } = await setUp(t)
  const log = createLog()
  const relay = start({ transport: log })
  await until('it leads', () => relay.stats().leader)
  await db.query(
    `insert into saga.outbox (id, topic, key, type, body) values ($1, 'plant', 'fern', 'plant.changed', '0')`,
    [randomUUIDv7()],
  )
  await drained()
  assert.deepEqual(log.published, ['fern 0'])
})

test('a snapshot that another session holds does not stall it', async (t) => {
  const { db, start, commit, drained } = await setUp(t)
  const holder = await db.connect()
  await holder.query('begin isolation level repeatable read')
  await holder.query('select count(*) from saga.outbox')
  const log = createLog()
  start({ transport: log, batch: 500 })
  for (let i = 0; i < 10; i++) await commit(...range(1000, (n) => `fern ${i * 1000 + n}`))
  await drained()
  assert.deepEqual(
    log.published,
    range(10_000, (i) => `fern ${i}`),
  )
  await holder.query('rollback')
  await holder.close()
})

test('stop sends what was committed before it was called', async (t) => {
  const { db, commit, waiting } = await setUp(t)
  const log = createLog()
  for (let i = 0; i < 20; i++) {
    const relay = createRelay({ db, transport: log, batch: 10, onError: (error) => assert.fail(error) })
    relay.start()
    if (i % 2) await until('it leads', () => relay.stats().leader)
    await commit(...range(i, (n) => `fern ${i}.${n}`))
    await relay.stop()
    assert.deepEqual(await waiting(), [], `round ${i}`)
  }
  assert.equal(log.published.length, 190)
})

test('stop does not wait for a long backlog', async (t) => {
  const { start, commit, waiting } = await setUp(t)
  const log = createLog()
  await commit(...range(100, (i) => `fern ${i}`))
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const relay = start({ transport: log, batch: 1 })
  let stopped: Promise<void> | undefined
  log.before = () => {
    if (log.calls === 3) stopped = relay.stop()
    if (log.calls === 10) t.mock.timers.tick(2_001)
  }
  await until('it is being stopped', () => stopped !== undefined)
  await stopped
  assert.deepEqual([log.calls, (await waiting()).length], [10, 90])
})

test('stop does not wait for a log that is away', async (t) => {
  const { start, commit, waiting } = await setUp(t)
  const relay = start({
    transport: createLog(() => {
      throw gone()
    }),
  })
  await until('it leads', () => relay.stats().leader)
  await commit('fern 0')
  await relay.stop()
  assert.deepEqual(await waiting(), ['fern 0'])
})
