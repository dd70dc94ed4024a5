import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { kafkaBrokers, noOwnKafka, ownKafka } from '../../../test/support/kafka.ts'
import { transportConformance } from '../src/conformance.ts'
import { isTransient } from '../src/errors.ts'
import { createKafkaTransport } from '../src/kafka.ts'
import { partitionOf } from '../src/partition.ts'
import type { LogRecord, Transport } from '../src/transport.ts'
import { until } from './until.ts'

const open = (prefix: string, brokers = kafkaBrokers()): Promise<Transport> =>
  createKafkaTransport({ connection: { brokers: brokers.split(',') }, prefix })

transportConformance({
  name: 'Kafka',
  async open() {
    const prefix = `test-${randomUUID()}`
    const transport = await open(prefix)
    return { transport, another: () => open(prefix), close: () => transport.close() }
  },
})

/** A transport on topics that nobody else has, and the cluster behind its back. */
async function setUp(t: TestContext, brokers = kafkaBrokers()) {
  const prefix = `test-${randomUUID()}`
  const transport = await open(prefix, brokers)
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(','), retries: 0 })
  t.after(() => Promise.all([transport.close(), admin.close()]))
  return { prefix, transport, admin }
}
const record = (body = '{}', key = 'a key'): LogRecord => ({
  id: randomUUIDv7(),
  topic: 'post',
  key,
  type: 'post.made',
  body,
})

test('a topic that was deleted and made again is another one, and ends who reads it', async (t) => {
  const { prefix, transport, admin } = await setUp(t)
  const before = (await transport.ensureTopics(['post'], 1)).get('post')!
  await transport.publish([record()])
  const reader = transport.reader()
  assert.equal((await reader.poll([{ topic: 'post', partition: 0, next: 0 }], 10, 10_000)).length, 1)
  await admin.deleteTopics({ topics: [`${prefix}.post`] })
  await until('the topic can be made again', async () => {
    const other = await open(prefix)
    try {
      return (await other.ensureTopics(['post'], 1)).get('post')!.logId !== before.logId
    } finally {
      await other.close()
    }
  })
  await until('the reader says so', () =>
    reader.poll([{ topic: 'post', partition: 0, next: 1 }], 10, 0).then(
      () => false,
      // While the topic is away, the log is.
      ({ code, partition }) => code === 'SAGA_OFFSET_OUT_OF_LOG' && partition === 0,
    ),
  )
})

test('an event that is too large is refused for good, alone; what is published beside it is not', async (t) => {
  const { transport } = await setUp(t)
  await transport.ensureTopics(['post'], 1)
  const [large, small] = await Promise.allSettled([
    transport.publish([record('x'.repeat(9 * 1024 * 1024))]),
    transport.publish([record('small')]),
  ])
  assert.ok(large.status === 'rejected' && !isTransient(large.reason), String(large.status))
  assert.equal(small.status, 'fulfilled')
  const found = await transport.reader().poll([{ topic: 'post', partition: 0, next: 0 }], 10, 10_000)
  assert.deepEqual(
    found.map(({ body }) => body),
    ['small'],
  )
})

const inLastOf4 = Array.from({ length: 100 }, (_, i) => `key ${i}`).find((key) => partitionOf(key, 4) === 3)!

test('a publish that fails in a part is not sent again behind the back of whoever called', async (t) => {
  const { prefix, transport, admin } = await setUp(t)
  await transport.ensureTopics(['post', 'chat'], 4)
  const both = (): LogRecord[] => [record(), { ...record(), topic: 'chat', key: inLastOf4 }]
  const first = both()
  await transport.publish(first)
  // The last partition of one of the two is gone, which the transport learns by the answer.
  await admin.deleteTopics({ topics: [`${prefix}.chat`] })
  const name = `${prefix}.chat`
  await until('it was made again', async () => {
    await admin.createTopics({ topics: [name], partitions: 1, replicas: -1 }).catch(() => {})
    const found = await admin.metadata({ topics: [name], forceUpdate: true }).catch(() => undefined)
    return found?.topics.get(name)?.partitionsCount === 1
  })
  const second = both()
  await assert.rejects(transport.publish(second), isTransient)
  const third = record()
  await transport.publish([third])
  const partition = partitionOf(third.key, 4)
  const found = await transport.reader().poll([{ topic: 'post', partition, next: 0 }], 10, 10_000)
  assert.deepEqual(
    found.map(({ id }) => id),
    [first[0]!, second[0]!, third].map(({ id }) => id),
  )
})

test('positions are shown as those of a consumer group', async (t) => {
  const { prefix, transport, admin } = await setUp(t)
  await transport.ensureTopics(['post'], 2)
  await transport.publish(Array.from({ length: 20 }, (_, i) => record('{}', `key ${i}`)))
  const positions = [
    { topic: 'post', partition: 0, next: 3 },
    { topic: 'post', partition: 1, next: 0 },
  ]
  // A cluster makes its coordinator when it is first asked for one.
  await until('they are shown', () =>
    transport.showPositions!('chat', positions).then(
      () => true,
      (error) => assert.ok(isTransient(error)),
    ),
  )
  const [group] = await admin.listConsumerGroupOffsets({ groups: [`${prefix}.chat`] })
  assert.deepEqual(
    group!.topics.map(({ name, partitions }) => [
      name,
      partitions.map((at) => [at.partitionIndex, at.committedOffset]),
    ]),
    [
      [
        `${prefix}.post`,
        [
          [0, 3n],
          [1, 0n],
        ],
      ],
    ],
  )
})

test('without a cluster there is no transport', async () => {
  await assert.rejects(open('test', '127.0.0.1:1'), (error) => {
    assert.ok(error instanceof Error && isTransient(error))
    assert.match(error.message, /^Kafka at 127\.0\.0\.1:1 .*ECONNREFUSED/)
    return true
  })
})

test(
  'a broker that dies loses nothing that it took, and all goes on when it is back',
  { skip: noOwnKafka, timeout: 120_000 },
  async (t) => {
    const kafka = await ownKafka(t)
    const { transport } = await setUp(t, kafka.brokers)
    await transport.ensureTopics(['post'], 4)
    const reader = transport.reader()
    const taken: string[] = []
    const read = new Map<string, number>()
    const next = [0, 0, 0, 0]
    let stopping = false
    let failures = 0
    let publishing: Promise<void> | undefined = (async () => {
      for (let n = 0; !stopping; n++) {
        const records = Array.from({ length: 5 }, (_, i) => record(JSON.stringify({ n }), `key ${i}`))
        try {
          await transport.publish(records)
          taken.push(...records.map(({ id }) => id))
        } catch (thrown) {
          assert.ok(isTransient(thrown), String(thrown))
          failures++
        }
      }
    })()
    const reading = (async () => {
      while (publishing !== undefined || taken.some((id) => !read.has(id))) {
        try {
          const wants = next.map((at, partition) => ({ topic: 'post', partition, next: at }))
          for (const { id, partition, offset } of await reader.poll(wants, 100, 200)) {
            assert.equal(offset, next[partition])
            next[partition] = offset + 1
            read.set(id, (read.get(id) ?? 0) + 1)
          }
        } catch (thrown) {
          assert.ok(isTransient(thrown), String(thrown))
        }
      }
    })()
    for (let kill = 0; kill < 2; kill++) {
      const before = taken.length
      await until('some were taken', () => taken.length > before + 50, 60_000)
      await kafka.kill()
      const failed = failures
      await until('publishing fails', () => failures > failed, 60_000)
      await kafka.start()
    }
    const before = taken.length
    await until('it goes on', () => taken.length > before + 50, 60_000)
    stopping = true
    await publishing
    publishing = undefined
    await reading
    assert.deepEqual(
      taken.filter((id) => read.get(id) !== 1),
      [],
    )
  },
)
