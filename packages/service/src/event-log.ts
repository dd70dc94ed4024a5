import { setTimeout as delay } from 'node:timers/promises'
import { createPostgresTransport, type Database, isTransient, type Transport } from '@pando/saga'
import type { KafkaConnection } from '@pando/saga/kafka'
import { StartError } from './errors.ts'
import type { Logger } from './log.ts'

const PATIENCE_MS = 30_000
const PAUSE_MS = 500

export interface EventLogOptions {
  /** Unset: the log is in PostgreSQL. */
  kafka: KafkaConnection | undefined
  /** What topics of this installation begin with in a Kafka cluster. */
  prefix: string
  /** Opens the database of the log in PostgreSQL; not asked for with Kafka. */
  openDatabase: () => Promise<Database>
  /** No other process can use that database. */
  alone: boolean
  log: Logger
  /** Ends the wait for a cluster that is not there yet. */
  signal?: AbortSignal | undefined
}

/**
 * Opens the log of events that the environment names. A Kafka cluster that is not there yet is waited for, 30 s.
 * @throws {StartError} when it stays away, or refuses us
 */
export async function openEventLog(options: EventLogOptions): Promise<Transport> {
  const { kafka, prefix, openDatabase, alone, log, signal } = options
  const onError = (err: Error): void => log.warn({ err }, 'event log')
  if (!kafka) return createPostgresTransport({ db: await openDatabase(), alone, onError })
  // A large client, which nobody loads who has no Kafka.
  const { createKafkaTransport } = await import('@pando/saga/kafka')
  const brokers = kafka.brokers.join(',')
  const deadline = Date.now() + PATIENCE_MS
  for (let attempt = 1; ; attempt++) {
    try {
      return await createKafkaTransport({ connection: kafka, prefix, onError })
    } catch (thrown) {
      signal?.throwIfAborted()
      const why = (thrown as Error).message
      if (!isTransient(thrown) || Date.now() > deadline)
        throw new StartError('PANDO_KAFKA', `KAFKA_BROKERS=${brokers} cannot be used: ${why}`, { cause: thrown })
      if (attempt === 1) log.warn(`${why} Waiting up to ${PATIENCE_MS / 1000} s for it.`)
      await delay(PAUSE_MS, undefined, { signal })
    }
  }
}
