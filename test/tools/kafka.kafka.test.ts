import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  ProduceAcks,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { startKafka } from '../../tools/kafka/broker.ts'
import { noOwnKafka, ownKafka } from '../support/kafka.ts'
import { isAlive, readIfThere } from '../support/process-table.ts'
import { until } from '../support/until.ts'

const clientOf = (brokers: string) => ({ clientId: 'test', bootstrapBrokers: [brokers], retries: 100, retryDelay: 50 })

async function withAdmin<T>(brokers: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin(clientOf(brokers))
  try {
    return await ask(admin)
  } finally {
    await admin.close()
  }
}

const createTopic = (brokers: string, topic: string) =>
  withAdmin(brokers, (admin) => admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }))

async function send(brokers: string, topic: string, value: string): Promise<void> {
  const producer = new Producer({ ...clientOf(brokers), serializers: stringSerializers })
  try {
    await producer.send({ messages: [{ topic, value }], acks: ProduceAcks.ALL })
  } finally {
    await producer.close()
  }
}

async function firstOf(brokers: string, topic: string): Promise<string> {
  const consumer = new Consumer({ ...clientOf(brokers), groupId: 'test', deserializers: stringDeserializers })
  try {
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    const [{ value }] = (await once(stream, 'data')) as [{ value: string }]
    return value
  } finally {
    await consumer.close(true)
  }
}

test(
  'a record outlives a SIGKILL of the broker; nobody else gets its data or its port',
  { skip: noOwnKafka },
  async (t) => {
    const kafka = await ownKafka(t)
    await withAdmin(kafka.brokers, (admin) =>
      assert.rejects(admin.metadata({ topics: ['nobodys'], autocreateTopics: true }), /Unknown topic nobodys/),
    )
    await createTopic(kafka.brokers, 'plants')
    await send(kafka.brokers, 'plants', '몬스테라')

    const port = Number(kafka.brokers.split(':')[1])
    const { pid, dataDir } = kafka
    await assert.rejects(startKafka({ dataDir }), {
      code: 'PANDO_DATA_DIR',
      message: `DATA_DIR=${dataDir} is in use by another Kafka (process ${process.pid}): stop it, or set DATA_DIR to another folder.`,
    })
    await assert.rejects(startKafka({ dataDir: join(dataDir, 'other'), port }), {
      code: 'PANDO_KAFKA',
      message: `Port ${port} of 127.0.0.1 is taken: end the process that listens there, or choose another port (0 = a free one).`,
    })

    await kafka.kill()
    assert.equal(isAlive(pid), false)
    await kafka.start()
    assert.notEqual(kafka.pid, pid)
    assert.equal(await firstOf(kafka.brokers, 'plants'), '몬스테라')
    await kafka.stop()
    await kafka.stop()
    assert.equal(isAlive(kafka.pid), false)
  },
)

const root = join(import.meta.dirname, '..', '..')
const READY = /^Kafka is ready at 127\.0\.0\.1:(\d+) \(KAFKA_BROKERS=127\.0\.0\.1:\1\)\n$/

function npmRunKafka(t: TestContext, dataDir: string, ...options: string[]) {
  const child = spawn('npm', ['--silent', 'run', 'kafka', '--', ...options], {
    cwd: root,
    detached: true,
    env: { ...process.env, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk))
  t.after(() => killGroup(child))
  return {
    child,
    port: () =>
      until('a ready line', () => (isRunning(child) ? READY.exec(stdout)?.[1] : assert.fail('it ended')), 50_000),
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null

async function killGroup(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  process.kill(-child.pid!, 'SIGKILL')
  await once(child, 'exit')
}

test(
  'npm run kafka: after a SIGKILL it starts again at its port, --fresh has forgotten, a signal ends all',
  { skip: noOwnKafka },
  async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'pando-test-'))
    t.after(() => rmSync(dataDir, { recursive: true, force: true }))
    const pidOfJava = () => Number(readIfThere(join(dataDir, 'kafka', 'broker.pid')))
    t.after(() => {
      if (pidOfJava() > 0) process.kill(pidOfJava(), 'SIGKILL')
    })

    const first = npmRunKafka(t, dataDir, '--port', '0')
    const port = await first.port()
    await createTopic(`127.0.0.1:${port}`, 'plants')
    const orphan = pidOfJava()
    await killGroup(first.child)
    assert.equal(isAlive(orphan), true)

    const second = npmRunKafka(t, dataDir, '--port', port, '--fresh')
    assert.equal(await second.port(), port)
    assert.equal(isAlive(orphan), false)
    assert.deepEqual(await withAdmin(`127.0.0.1:${port}`, (admin) => admin.listTopics()), [])
    const java = pidOfJava()
    second.child.kill('SIGTERM')
    assert.deepEqual(await once(second.child, 'exit'), [0, null])
    assert.equal(isAlive(java), false)
  },
)
