import type { ServiceChoreography } from './choreography.ts'
import { type Consumer, createConsumer } from './consumer.ts'
import type { Database } from './database.ts'
import { ensureDays } from './days.ts'
import type { EventKind } from './event.ts'
import type { Hub } from './hub.ts'
import { createHourly, type Running } from './loop.ts'
import { migrate } from './migrate.ts'
import { partitionOf } from './partition.ts'
import { createRelay, type Relay } from './relay.ts'
import { type HistoryEntry, sagaHistory } from './saga-views.ts'
import { sayingsOf } from './saga.ts'
import { createSagas, type Sagas, type SagaVersion } from './sagas.ts'
import type { Trace } from './trace.ts'
import type { Transport } from './transport.ts'
import { createWakes } from './wakes.ts'

const INBOX_DAYS = 14
/** How long a saga that has ended can be looked at; its stream must be served for 7 days. */
const SAGA_DAYS = 30

/** Everything that a service needs to take part: migrations, relay, consumer, its sagas with their deadlines, retention. */
export interface Worker extends Omit<Running, 'start'> {
  /** Migrates the database, makes topics and positions, then starts the loops. Rejects when any of that fails. */
  start(): Promise<void>
  readonly sagas: Sagas
  readonly relay: Relay
  readonly consumer: Consumer
  /** Calls `listener`, which must not throw, with the versions of sagas that this process commits; the returned function ends that. */
  onVersions(listener: (versions: readonly SagaVersion[]) => void): () => void
  history(sagaId: string): Promise<HistoryEntry[]>
}

/** The worker of one service on its database: what it says and hears, and what it needs for that. `partitions`: as many as all topics have. */
export function createWorker(
  options: ServiceChoreography & {
    db: Database
    transport: Transport
    partitions: number
    /** Shows the sagas' versions live. */
    hub?: Hub
    onError?: (error: Error) => void
    /** Told of what is published, reacted to and pushed to streams. */
    trace?: Trace | undefined
  },
): Worker {
  const { topic, db, transport, partitions, sagas: definitions = [], hub, onError = () => {}, trace } = options
  const sagas = createSagas({ db, sagas: definitions, onVersions: tell, onError })
  const reactions = [...(options.reactions ?? []), ...(definitions.length > 0 ? [sagas.reaction] : [])]
  const relay = createRelay({ db, transport, onError, trace })
  const consumer = createConsumer({ db, transport, reactions, partitions, group: topic, onError, trace })
  const kinds = new Map<string, EventKind>(
    definitions.flatMap(({ definition }) => sayingsOf(definition).map((kind) => [kind.type, kind])),
  )
  const maintenance = createHourly({
    onError,
    async task() {
      await ensureDays(db, 'saga.inbox', INBOX_DAYS)
      await sagas.purge(SAGA_DAYS)
    },
  })
  const listeners = new Set<(versions: readonly SagaVersion[]) => void>()
  const wakes = hub && createWakes(hub, transport)

  function tell(versions: readonly SagaVersion[]): void {
    for (const version of versions) push(version)
    wakes?.tellOthers(versions.map(({ id, event }) => ({ stream: id, event })))
    for (const listener of listeners) listener(versions)
  }

  function push({ id, view: { type, version }, event, traceparent }: SagaVersion): void {
    const span = traceparent === undefined ? undefined : trace?.begin('push', { type, version, traceparent })
    const written = hub?.wake(id, event.seq, event) ?? 0
    // Nobody watches it here, so there is nothing to tell of.
    if (written > 0) span?.end()
  }

  async function stop(): Promise<void> {
    wakes?.stop()
    try {
      await Promise.all([consumer.stop(), sagas.deadlines.stop(), maintenance.stop()])
    } finally {
      // Last, so that what the others have just appended still leaves.
      await relay.stop()
    }
  }

  return {
    sagas,
    relay,
    consumer,
    onVersions(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    history: (sagaId) =>
      sagaHistory(db, transport, sagaId, (event) => ({
        topic: kinds.get(event.type)?.topic ?? topic,
        partition: partitionOf(event.key, partitions),
      })),
    async start() {
      await migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) })
      await ensureDays(db, 'saga.inbox', INBOX_DAYS)
      await transport.ensureTopics([topic], partitions)
      await consumer.prepare()
      await sagas.prepare()
      relay.start()
      consumer.start()
      maintenance.start()
      if (definitions.length > 0) sagas.deadlines.start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
