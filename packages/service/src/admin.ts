import {
  discardParked,
  type HistoryEntry,
  isTransient,
  listParked,
  listSagas,
  outboxLag,
  type ParkedKey,
  SagaError,
  type SagaPlace,
  type SagaQuery,
  type SagaView,
  transaction,
} from '@pando/saga'
import { Problem } from './problem.ts'
import type { Service } from './service.ts'

/** What an operator sees of a parked key. */
export interface Parked extends Omit<ParkedKey, 'since'> {
  service: string
  since: string
}

/** The place of a parked key in the list: those that wait longest first, then by service and key. */
export interface ParkedPlace {
  since: string
  service: string
  key: string
}

/** How far a service is behind: its unsent events, and per partition the events that its group (all its instances) has not handled. */
export interface Lag {
  service: string
  outbox: { rows: number; oldestMs: number }
  partitions: { group: string; topic: string; partition: number; next: number; behind: number }[]
}

export type SagaWithOwner = SagaView & { ownerId: string | null }

/** The operator's side of one service, here or in another process. All throw what HTTP answers with: a Problem. */
export interface AdminSource {
  readonly service: string
  sagas(query: SagaQuery): Promise<{ items: SagaWithOwner[]; next: SagaPlace | null }>
  saga(type: string, id: string): Promise<(SagaWithOwner & { history: HistoryEntry[] }) | undefined>
  parked(query: { limit: number; after?: ParkedPlace | undefined }): Promise<{ items: Parked[]; more: boolean }>
  /** Begins to send the events of a key again; resolves before that is done. */
  redrive(key: string): Promise<void>
  discard(key: string, reason: string): Promise<void>
  lag(): Promise<Lag>
}

/** The operator's sides of all services, asked with an admin's access token. */
export type AdminSources = (accessToken: string) => readonly AdminSource[]

/** The operator's side of a service in this process. */
export function localAdmin({ name, db, worker }: Service, onError: (error: Error) => void): AdminSource {
  const isParked = async (key: string): Promise<boolean> =>
    (await db.query('select from saga.parked_key where key = $1', [key])).length > 0
  return {
    service: name,
    async sagas(query) {
      const { states, next } = await listSagas(db, query)
      return { items: states.map(({ view, ownerId }) => ({ ...view, ownerId })), next }
    },
    async saga(type, id) {
      const state = await worker.sagas.find(type, id)
      return state && { ...state.view, ownerId: state.ownerId, history: await worker.history(id) }
    },
    async parked({ limit, after }) {
      const found = await listParked(db, { limit: limit + 1, ...(after && behind(after, name)) })
      const items = found.slice(0, limit).map((one) => ({ ...one, service: name, since: one.since.toISOString() }))
      return { items, more: found.length > limit }
    },
    async redrive(key) {
      if (!(await isParked(key))) throw new Problem('not_found')
      // What fails again is parked again, with the new error, which the list shows.
      worker.consumer.redrive(key).catch((error: unknown) => {
        if (isTransient(error)) onError(new Error(`the redrive of key "${key}" was interrupted`, { cause: error }))
      })
    },
    async discard(key, reason) {
      try {
        await transaction(db, (tx) => discardParked(tx, key, reason))
      } catch (thrown) {
        throw thrown instanceof SagaError && thrown.code === 'SAGA_NOT_PARKED' ? new Problem('not_found') : thrown
      }
    },
    async lag() {
      const [outbox, partitions] = await Promise.all([outboxLag(db), worker.consumer.lag()])
      return { service: name, outbox, partitions: partitions.map((partition) => ({ group: name, ...partition })) }
    },
  }
}

/** Where a service's own parked keys begin that stand behind a place in the list of all services. */
function behind({ since, service, key }: ParkedPlace, name: string): { from: Date; after?: string } {
  const at = Date.parse(since)
  if (name === service) return { from: new Date(at), after: key }
  return { from: new Date(name > service ? at : at + 1) }
}
