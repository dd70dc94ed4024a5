import { randomUUID } from 'node:crypto'
import {
  type Database,
  type Envelope,
  migrate,
  type NewEvent,
  type Received,
  type SagaDefinition,
  type SagaHooks,
  type SagaVersion,
  type SagaView,
  transaction,
} from '../src/index.ts'
import { envelopeOf } from '../src/event.ts'
import { createSagas } from '../src/sagas.ts'
import { signUp } from './example-sagas.ts'

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
export const user = { userId: 'u1' }

/** For `testDatabase`: a database of a service, empty. */
export const empty = {
  template: 'sagas',
  migrate: (db: Database) => migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) }),
}

/** The service that starts sagas, with a clock that is set by hand, and all that it tells of. */
export async function createService(db: Database, options: { definition?: SagaDefinition; hooks?: SagaHooks } = {}) {
  const { definition = signUp, hooks = {} } = options
  const clock = { now: NOW }
  const told: SagaVersion[] = []
  const errors: Error[] = []
  let heard = Promise.withResolvers<void>()
  const sagas = createSagas({
    db,
    sagas: [{ definition, hooks }],
    now: () => clock.now,
    onError(error) {
      errors.push(error)
      heard.resolve()
    },
    onVersions(versions) {
      told.push(...versions)
      heard.resolve()
    },
  })
  await sagas.prepare()
  return {
    sagas,
    clock,
    told,
    errors,
    start: (items: readonly { deadlineMs?: number; traceparent?: string }[]): Promise<SagaView[]> =>
      transaction(db, async (tx) =>
        sagas.start(
          tx,
          definition as SagaDefinition<object>,
          items.map((item) => ({ id: randomUUID(), ownerId: 'u1', data: { ...user, name: 'nayun' }, ...item })),
        ),
      ),
    hear: (...events: Received[]): Promise<void> => transaction(db, (tx) => sagas.reaction.react(events, tx)),
    /** Resolves when this is so; asks again whenever something was told. */
    async until(holds: () => boolean): Promise<void> {
      while (!holds()) {
        await heard.promise
        heard = Promise.withResolvers()
      }
    },
    ended: (...views: SagaView[]): boolean =>
      views.every(({ id }) => told.some((version) => version.id === id && version.event.last)),
  }
}

/** An answer to a saga, as the consumer hands it over. */
export const answer = ({ id, type }: SagaView, made: NewEvent): Received => ({
  ...envelopeOf(made, NOW + 1, { sagaType: type, sagaId: id }),
  topic: made.kind.topic,
  partition: 3,
  offset: 7,
  tries: 1,
})

export const versionsOf = async (db: Database, { id }: SagaView): Promise<SagaView[]> =>
  (await db.query<{ view: string }>('select view from saga.saga_event where saga_id = $1 order by version', [id])).map(
    ({ view }) => JSON.parse(view) as SagaView,
  )
export const outboxOf = async (db: Database): Promise<Envelope[]> =>
  (await db.query<{ body: string }>('select body from saga.outbox order by seq')).map(
    ({ body }) => JSON.parse(body) as Envelope,
  )
