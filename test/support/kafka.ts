import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../../tools/kafka/broker.ts'
import { missingForKafka } from '../../tools/kafka/jars.ts'
import type { Scope } from './postgres.ts'

// A broker ends with this process, and its tests' process is ended by a signal when they are interrupted.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** The brokers that all tests of the run share, `host:port,…`; throws when the file was not started by `npm test`. */
export function kafkaBrokers(): string {
  const brokers = process.env.TEST_KAFKA_BROKERS
  if (!brokers)
    throw new Error('TEST_KAFKA_BROKERS is not set: run `npm test -- <part of the path>` of a file that needs Kafka')
  return brokers
}

/** A broker of a test's own, to be killed and started again, always at the same address and with the same data. */
export interface OwnKafka {
  /** `host:port`, also while it is down. */
  readonly brokers: string
  readonly dataDir: string
  /** Of the broker that was started last. */
  readonly pid: number
  /** Resolves when it takes requests again: after about 3 s, 5 s when it was killed. */
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
}

/** For the `skip` of a test with a broker of its own: why there can be none, where KAFKA_BROKERS has to do; else false. */
export const noOwnKafka: string | false = missingForKafka() ?? false

/** Starts one, in about 4 s; it is killed and its data removed after the test, or the file when `scope` is node:test's `{ after }`. */
export async function ownKafka(scope: Scope): Promise<OwnKafka> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pando-test-'))
  let kafka = await startKafka({ dataDir })
  scope.after(async () => {
    await kafka.kill()
    await rm(dataDir, { recursive: true, force: true })
  })
  const { brokers } = kafka
  return {
    dataDir,
    brokers,
    get pid() {
      return kafka.pid
    },
    async start() {
      kafka = await startKafka({ dataDir, port: Number(brokers.split(':')[1]) })
    },
    stop: () => kafka.stop(),
    kill: () => kafka.kill(),
  }
}
