import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { transportConformance } from '../src/conformance.ts'
import { createDatabase, type Database, type Row } from '../src/database.ts'
import { today } from '../src/days.ts'
import { isTransient } from '../src/errors.ts'
import { createPostgresTransport } from '../src/postgres.ts'
import type { LogRecord, Transport } from '../src/transport.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

transportConformance({
  name: 'PostgreSQL',
  async open() {
    const hooks: (() => Promise<void>)[] = []
    const db = await testDatabase({ after: (hook) => void hooks.push(hook) })
    const transport = await createPostgresTransport({ db })
    return {
      transport,
      another: () => createPostgresTransport({ db }),
      async close() {
        await transport.close()
        for (const hook of hooks) await hook()
      },
    }
  },
})

const LONG_WAIT_MS = 30_000
const TOPIC = 'plant'

/** A log's database, and processes on it: each with a pool of its own, and the topic with one partition. */
async function setUp(t: TestContext) {
  const admin = await testDatabase(t)
  const errors: Error[] = []
  const process = async (options: { alone?: boolean; name?: string; watch?: (text: string) => void } = {}) => {
    const pool = createDatabase({
      connectionString: admin.url,
      max: 2,
      applicationName: options.name ?? 'process',
      onError: () => {},
    })
    const db: Database = {
      ...pool,
      query: <R extends object = Row>(text: string, values?: readonly unknown[]) => {
        options.watch?.(text)
        return pool.query<R>(text, values)
      },
    }
    const transport = await createPostgresTransport({
      db,
      alone: options.alone ?? false,
      onError: (error) => errors.push(error),
    })
    t.after(async () => {
      await transport.close()
      await pool.close()
    })
    await transport.ensureTopics([TOPIC], 1)
    return transport
  }
  const cut = (name: string): Promise<unknown> =>
    admin.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [name])
  return { admin, errors, process, cut }
}
const record = (n: number, key = 'fern'): LogRecord => ({
  id: randomUUIDv7(),
  topic: TOPIC,
  key,
  type: 'plant.changed',
  body: String(n),
})
const records = (from: number, count: number): LogRecord[] => Array.from({ length: count }, (_, i) => record(from + i))
const want = (next: number) => [{ topic: TOPIC, partition: 0, next }]
const poll = (transport: Transport, next: number, waitMs = LONG_WAIT_MS) =>
  transport.reader().poll(want(next), 100, waitMs)
const bodies = (found: readonly LogRecord[]): string[] => found.map(({ body }) => body)
const outOfLog = { code: 'SAGA_OFFSET_OUT_OF_LOG', partition: 0 }

test('what others publish is heard at once, not only at the next look', async (t) => {
  const { process } = await setUp(t)
  const [reading, other] = [await process(), await process()]
  const from = performance.now()
  for (let i = 0; i < 30; i++) {
    const polling = poll(reading, i)
    await other.publish([record(i)])
    assert.deepEqual(bodies(await polling), [String(i)])
  }
  // 30 looks of half a second would take 15 seconds.
  assert.ok(performance.now() - from < 7_500)
})

test('without any notification it is seen at the next look', async (t) => {
  const { process } = await setUp(t)
  const reading = await process()
  const mute = await process({ alone: true })
  const from = performance.now()
  const polling = poll(reading, 0)
  await mute.publish([record(0)])
  assert.deepEqual(bodies(await polling), ['0'])
  assert.ok(performance.now() - from < 5_000)
})

test('a process whose connection for notifications is cut hears again, and misses nothing', async (t) => {
  const { admin, process, cut } = await setUp(t)
  const reading = await process({ name: 'reading' })
  const other = await process()
  const heard: string[] = []
  reading.onHint((text) => heard.push(text))
  for (let i = 0; i < 5; i++) {
    await cut('reading')
    const polling = poll(reading, i).catch(() => poll(reading, i))
    await other.publish([record(i)])
    assert.deepEqual(bodies(await polling), [String(i)])
  }
  await until('a hint is heard', () => {
    other.hint('anybody there?')
    return heard.length > 0
  })
  const listening = await admin.query(
    `select from pg_stat_activity where application_name = 'reading' and query like 'listen%'`,
  )
  assert.equal(listening.length, 1)
})

test('a database that is away for a moment is an error that passes', async (t) => {
  const { process, cut } = await setUp(t)
  const transport = await process({ name: 'cut' })
  await transport.publish([record(0)])
  // The one that is on its way when the connection goes, or one that finds it gone.
  const publishing = transport.publish(records(1, 2_000)).then(
    () => undefined,
    (error: unknown) => error,
  )
  await cut('cut')
  const error = await publishing
  assert.ok(error === undefined || isTransient(error), String(error))
  await until('it publishes again', async () =>
    transport.publish([record(9_999)]).then(
      () => true,
      (error: unknown) => {
        assert.ok(isTransient(error), String(error))
        return false
      },
    ),
  )
  const end = (await transport.ends([TOPIC])).get(TOPIC)![0]!
  assert.deepEqual(bodies(await poll(transport, end - 1)), ['9999'])
})

test('a publish is whole or not at all, and leaves no gap', async (t) => {
  const { process } = await setUp(t)
  const transport = await process()
  await transport.publish(records(0, 3))
  await assert.rejects(transport.publish([record(3), record(4, 'NUL \0 is no text for PostgreSQL'), record(5)]), {
    code: '22021',
  })
  await assert.rejects(transport.publish([record(3), { ...record(4), id: 'no uuid' }]), { code: '22P02' })
  await transport.publish(records(3, 2))
  assert.deepEqual(bodies(await poll(transport, 0)), ['0', '1', '2', '3', '4'])
})

test('many publish to the same partitions at once, in whatever order, without a deadlock', async (t) => {
  const { process } = await setUp(t)
  const transports = [await process(), await process()]
  for (const transport of transports) await transport.ensureTopics(['wide'], 16)
  const keys = Array.from({ length: 64 }, (_, i) => `key ${i}`)
  await Promise.all(
    [0, 1, 2, 3].map(async (publisher) => {
      for (let i = 0; i < 40; i++) {
        const turned = [...keys.slice(publisher * 16 + i), ...keys.slice(0, publisher * 16 + i)]
        await transports[publisher % 2]!.publish(turned.map((key) => ({ ...record(i, key), topic: 'wide' })))
      }
    }),
  )
  const ends = (await transports[0]!.ends(['wide'])).get('wide')!
  assert.equal(
    ends.reduce((sum, end) => sum + end),
    4 * 40 * 64,
  )
})

test('what a process has published itself it reads without a query', async (t) => {
  const { process } = await setUp(t)
  const texts: string[] = []
  const reads = (): number => texts.splice(0).filter((text) => text.includes('cross join lateral')).length
  const transport = await process({ watch: (text) => texts.push(text) })
  const other = await process()
  await transport.publish(records(0, 5))
  assert.deepEqual(bodies(await poll(transport, 2)), ['2', '3', '4'])
  assert.equal(reads(), 0)
  await other.publish([record(5)])
  assert.deepEqual(bodies(await poll(transport, 5)), ['5'])
  assert.equal(reads(), 1)
  await transport.publish([record(6)])
  assert.deepEqual(bodies(await poll(transport, 4)), ['4', '5', '6'])
  assert.equal(reads(), 1, 'what lies before its own newest is in the log alone')
})

test('what is older than the log keeps is dropped; whoever still wants it is told', async (t) => {
  const { admin, process } = await setUp(t)
  const transport = await process()
  await transport.ensureTopics(['empty', 'old'], 1)
  await transport.publish(records(0, 6))
  await transport.publish([{ ...record(0), topic: 'old' }])
  // The first four are a day older than any that is kept.
  const day = today() - 8
  await admin.query(`create table log.record_${day} partition of log.record for values from (${day}) to (${day + 1})`)
  await admin.query(
    `update log.record r set day = ${day} from log.partition p
     where p.id = r.partition_id and (p.topic = 'old' or r."offset" < 4)`,
  )
  const later = await process()
  const states = await later.ensureTopics([TOPIC, 'empty', 'old'], 1)
  assert.deepEqual(
    [TOPIC, 'empty', 'old'].map((topic) => states.get(topic)!.first[0]),
    [4, 0, 1],
  )
  for (const via of [transport, later]) {
    await until('it is told', async () =>
      poll(via, 3, 0).then(
        // Its own copies of what it has published last a little longer.
        (found) => assert.equal(found[0]?.offset, 3),
        (error: unknown) => {
          assert.equal((error as { code: string }).code, outOfLog.code)
          return true
        },
      ),
    )
    assert.deepEqual(bodies(await poll(via, 4)), ['4', '5'])
  }
  await transport.publish([record(6), { ...record(1), topic: 'old' }])
  assert.deepEqual(bodies(await poll(later, 6)), ['6'])
  assert.deepEqual(bodies(await later.reader().poll([{ topic: 'old', partition: 0, next: 1 }], 10, LONG_WAIT_MS)), [
    '1',
  ])
})

test('dropping old days calls nothing old that is being published meanwhile', async (t) => {
  const { admin, process } = await setUp(t)
  const transport = await process()
  const day = today() - 8
  await admin.query(`create table log.record_${day} partition of log.record for values from (${day}) to (${day + 1})`)
  // A publish that is not committed yet.
  const slow = await admin.connect()
  await slow.query('begin')
  await slow.query('update log.partition set next = next + 1')
  await slow.query(
    `insert into log.record select id, 0, ${today()}, '${randomUUIDv7()}', 'fern', 'plant.changed', '0' from log.partition`,
  )
  const later = await process()
  await slow.query('commit')
  await slow.close()
  assert.deepEqual(bodies(await poll(transport, 0)), ['0'])
  assert.deepEqual(bodies(await poll(later, 0)), ['0'])
  const again = await process()
  assert.deepEqual((await again.ensureTopics([TOPIC], 1)).get(TOPIC)!.first, [0])
  assert.deepEqual(
    await admin.query('select from pg_class where relname = $1', [`record_${day}`]),
    [],
    'it was dropped',
  )
})

test('a log has an identity, the same for all its processes, and another log has another', async (t) => {
  const [one, two] = [await setUp(t), await setUp(t)]
  const logIds: string[] = []
  for (const { process } of [one, one, two])
    logIds.push((await (await process()).ensureTopics([TOPIC], 1)).get(TOPIC)!.logId)
  assert.equal(logIds[0], logIds[1])
  assert.notEqual(logIds[0], logIds[2])
})

test('a topic that was not ensured is neither written nor read', async (t) => {
  const { process } = await setUp(t)
  const transport = await process()
  await assert.rejects(transport.publish([record(0), { ...record(1), topic: 'other' }]), { code: 'SAGA_DEFINITION' })
  await assert.rejects(transport.reader().poll([{ topic: 'other', partition: 0, next: 0 }], 10, 0), {
    code: 'SAGA_DEFINITION',
  })
  assert.deepEqual(await poll(transport, 0, 0), [])
})

test('a database that cannot be reached rejects; after close no connection is left', async (t) => {
  const { admin, process } = await setUp(t)
  const nowhere = createDatabase({ connectionString: admin.url.replace(/[^/]+$/, 'no_such_database') })
  t.after(() => nowhere.close())
  await assert.rejects(createPostgresTransport({ db: nowhere }), { code: '3D000' })
  const transport = await process({ name: 'closing' })
  const dedicated = (): Promise<unknown[]> =>
    admin.query(`select from pg_stat_activity where application_name = 'closing' and query like 'listen%'`)
  assert.equal((await dedicated()).length, 1)
  await transport.close()
  await until('it is gone', async () => (await dedicated()).length === 0)
})
