import { type Consumer, createConsumer } from './consumer.ts'
import type { Database } from './database.ts'
import { ensureDays } from './days.ts'
import type { EventKind } from './event.ts'
import type { Hub } from './hub.ts'
import { createBell, createLoop, type Running } from './loop.ts'
import { migrate } from './migrate.ts'
import { partitionOf } from './partition.ts'
import type { Reaction } from './reaction.ts'
import { createRelay, type Relay } from './relay.ts'
import type { SagaDefinition } from './saga.ts'
import { type HistoryEntry, sagaHistory } from './saga-views.ts'
import { createSagas, type SagaHooks, type Sagas, type SagaVersion } from './sagas.ts'
import type { Transport } from './transport.ts'

const INBOX_DAYS = 14
/** How long a saga that has ended can be looked at; its stream must be served for 7 days. */
const SAGA_DAYS = 30
const MAINTENANCE_MS = 3_600_000

/** Everything that a service needs to take part: migrations, relay, consumer, its sagas with their deadlines, retention. */
export interface Worker extends Omit<Running, 'start'> {
  /** Migrates the database, makes topics and positions, then starts the loops. Rejects when any of that fails. */
  start(): Promise<void>
  readonly sagas: Sagas
  readonly relay: Relay
  readonly consumer: Consumer
  history(sagaId: string): Promise<HistoryEntry[]>
}

/** The worker of one service on its database. `topic` is where its own events go, `partitions` the number that all topics have. */
export function createWorker(options: {
  topic: string
  db: Database
  transport: Transport
  partitions: number
  reactions?: readonly Reaction[]
  sagas?: readonly { definition: SagaDefinition<never>; hooks?: SagaHooks }[]
  /** Shows the sagas' versions live. */
  hub?: Hub
  onError?: (error: Error) => void
}): Worker {
  const { topic, db, transport, partitions, sagas: definitions = [], hub, onError = () => {} } = options
  const sagas = createSagas({ db, sagas: definitions, onVersions: tell, onError })
  const reactions = [...(options.reactions ?? []), ...(definitions.length > 0 ? [sagas.reaction] : [])]
  const relay = createRelay({ db, transport, onError })
  const consumer = createConsumer({ db, transport, reactions, partitions, onError })
  const kinds = new Map<string, EventKind>(
    definitions.flatMap(({ definition: { starts, completes, fails } }) =>
      [starts, completes, fails].map((kind) => [kind.type, kind]),
    ),
  )
  const bell = createBell()
  const maintenance = createLoop({
    bell,
    onError,
    async turn() {
      await bell.wait(MAINTENANCE_MS)
      await ensureDays(db, 'saga.inbox', INBOX_DAYS)
      await sagas.purge(SAGA_DAYS)
    },
  })
  const unlisten = hub && transport.onHint((text) => hear(hub, text))

  function tell(versions: readonly SagaVersion[]): void {
    for (const { id, event } of versions) hub?.wake(id, event.seq, event)
    for (let i = 0; i < versions.length; i += 80)
      transport.hint(
        `saga ${versions
          .slice(i, i + 80)
          .map(({ id, event }) => `${id}:${event.seq}`)
          .join(' ')}`,
      )
  }

  async function stop(): Promise<void> {
    unlisten?.()
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

function hear(hub: Hub, text: string): void {
  if (!text.startsWith('saga ')) return
  for (const part of text.slice(5).split(' ')) {
    const [id, version] = part.split(':')
    if (id !== undefined && version !== undefined) hub.wake(id, Number(version))
  }
}
