import {
  begin,
  evolve,
  type NewEvent,
  type SagaDefinition,
  type SagaInput,
  type SagaState,
  type SagaView,
} from '@pando/saga'
import type { Message } from './log.ts'
import type { Outcome } from './service.ts'

// The service that starts sagas: the real `begin` and `evolve`, around them what `sagas.ts` does with a database.

export type Account = 'none' | 'pending' | 'active' | 'deleting' | 'deleted'

/** Every version of a saga, the user it is about, and the events that it published. */
export interface Told {
  readonly user: string
  readonly state: SagaState
  readonly versions: readonly SagaView[]
  readonly published: readonly string[]
}

export interface Initiated {
  readonly sagas: ReadonlyMap<string, Told>
  readonly accounts: ReadonlyMap<string, Account>
}

/** An account's part in a saga: what it is while the saga runs, and after each end. */
const ACCOUNT: Record<string, { running: Account; completed: Account; failed: Account }> = {
  'sign-up': { running: 'pending', completed: 'active', failed: 'none' },
  'account-deletion': { running: 'deleting', completed: 'deleted', failed: 'active' },
}

export function createInitiator(definitions: readonly SagaDefinition[]) {
  const of = (type: string): SagaDefinition => definitions.find((definition) => definition.type === type)!

  function start(before: Initiated, type: string, id: string, user: string, now: number): Outcome<Initiated> {
    const definition = of(type)
    const event = (definition.starts as unknown as (data: unknown) => NewEvent)({ userId: user, name: user })
    const first = { id, correlationId: id, data: event.data }
    const state = begin(definition, { id, ownerId: user, start: first, now })
    const told: Told = { user, state, versions: [state.view], published: [] }
    return {
      state: {
        sagas: new Map([...before.sagas, [id, told]]),
        accounts: new Map([...before.accounts, [user, ACCOUNT[type]!.running]]),
      },
      says: [{ event, saga: { sagaType: type, sagaId: id } }],
    }
  }

  function tell(before: Initiated, id: string, input: SagaInput, now: number): Outcome<Initiated> {
    const told = before.sagas.get(id)
    if (!told) return { state: before, says: [] }
    const { states, events } = evolve(of(told.state.view.type), told.state, input, now)
    const state = states.at(-1) ?? told.state
    const after: Told = {
      ...told,
      state,
      versions: [...told.versions, ...states.map(({ view }) => view)],
      published: [...told.published, ...events.map(({ kind }) => kind.type)],
    }
    const { status, type } = state.view
    const ended = states.length > 0 && (status === 'completed' || status === 'failed')
    return {
      state: {
        sagas: new Map([...before.sagas, [id, after]]),
        accounts: ended ? new Map([...before.accounts, [told.user, ACCOUNT[type]![status]]]) : before.accounts,
      },
      says: events.map((event) => ({ event, saga: { sagaType: type, sagaId: id } })),
    }
  }

  return {
    start,
    hear: (before: Initiated, { sagaId, type, data }: Message, now: number) =>
      tell(before, sagaId, { type, data }, now),
    /** What the loop does about the deadline of one saga. */
    expire: (before: Initiated, id: string, now: number) => tell(before, id, 'deadline', now),
    /** The sagas that the loop would find. */
    due: ({ sagas }: Initiated, now: number): string[] =>
      [...sagas.values()].flatMap(({ state: { view } }) =>
        view.endedAt === null && Date.parse(view.deadline) <= now ? [view.id] : [],
      ),
  }
}
