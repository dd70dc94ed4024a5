import assert from 'node:assert/strict'
import { SagaError } from './errors.ts'
import type { NewEvent } from './event.ts'
import {
  answersTo,
  begin,
  evolve,
  type SagaDefinition,
  type SagaState,
  type SagaStatus,
  type Step,
  type StepStatus,
} from './saga.ts'

export { type LogUnderTest, transportConformance } from './conformance.ts'
export { createMemoryLog, createMemoryTransport, type Faults, type MemoryLog } from './memory.ts'
export { createRandom, type Random } from './random.ts'

/** What happens to a saga in a test: an event, or the moment of its deadline. */
export type Happening = NewEvent | 'deadline'

/** What an input should have done. What is not named is not looked at, but `publishes`: unless named, nothing may be published. */
export interface Expected {
  status?: SagaStatus
  reason?: string | null
  /** The steps to look at: their status, or all of the step: `{ status: 'failed', reason: 'sold_out' }`. */
  steps?: Readonly<Record<string, StepStatus | Step>>
  publishes?: readonly NewEvent[]
  /** The status of each version that the input made: `[]` when it must change nothing. */
  versions?: readonly SagaStatus[]
}

export interface Given {
  /** The input under test. */
  when(input: Happening): When
}

export interface When {
  /** Throws AssertionError, with the difference, when it came otherwise. What follows may go on with the next `when`. */
  then(expected: Expected): Given
}

const START = Date.UTC(2000, 0, 1)

/**
 * A saga's rules as sentences, without a database or a clock: the saga that these events have made (its `starts` first, then what its
 * participants said), what comes next, and what that must lead to. A millisecond passes with each; `'deadline'` is the moment of the deadline.
 * Throws SAGA_DEFINITION for events that are not this saga's.
 *
 * ```ts
 * given(ordering, placed(order), paid({ orderId }))
 *   .when(soldOut({ orderId, reason: 'sold_out' }))
 *   .then({ status: 'compensating', steps: { payment: 'done', stock: 'failed' }, publishes: [cancelled({ ...order, reason: 'sold_out' })] })
 *   .when(refunded({ orderId }))
 *   .then({ status: 'failed', steps: { payment: 'undone' } })
 * ```
 */
export function given(definition: SagaDefinition<never>, starts: NewEvent, ...events: readonly Happening[]): Given {
  if (starts.kind.type !== definition.starts.type)
    throw new SagaError(
      'SAGA_DEFINITION',
      `saga "${definition.type}" starts with ${definition.starts.type}, not with ${starts.kind.type}`,
    )
  const start = { id: 'start', correlationId: 'start', data: starts.data }
  const first = { state: begin(definition, { id: 'saga', ownerId: null, start, now: START }), now: START }
  return from(
    definition,
    events.reduce<Moment>((moment, event) => happen(definition, moment, event).moment, first),
  )
}

interface Moment {
  state: SagaState
  now: number
}

function happen(
  definition: SagaDefinition<never>,
  { state, now }: Moment,
  what: Happening,
): { moment: Moment; states: SagaState[]; events: NewEvent[] } {
  const time = what === 'deadline' ? Math.max(now, Date.parse(state.view.deadline)) : now + 1
  const input = what === 'deadline' ? what : { type: answerOf(definition, what), data: what.data }
  const { states, events } = evolve(definition, state, input, time)
  return { moment: { state: states.at(-1) ?? state, now: time }, states, events }
}

function answerOf(definition: SagaDefinition<never>, { kind }: NewEvent): string {
  if (answersTo(definition).some(({ type }) => type === kind.type)) return kind.type
  throw new SagaError('SAGA_DEFINITION', `${kind.type} is no answer to saga "${definition.type}"`)
}

const from = (definition: SagaDefinition<never>, before: Moment): Given => ({
  when(input) {
    const { moment, states, events } = happen(definition, before, input)
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- given, when, then: a test that reads like its rule is worth the odd name.
      then(expected) {
        // What `await` does with anything that has a `then`.
        if (typeof expected === 'function')
          throw new TypeError('given(…).when(…) is not to be awaited: say what must come of it, .then({ … })')
        assert.deepEqual(pick(moment.state, states, events, expected), wanted(expected))
        return from(definition, moment)
      },
    }
  },
})

/** Of what came, that of which `expected` speaks, so that a difference shows nothing else. */
function pick(
  { view }: SagaState,
  states: readonly SagaState[],
  events: readonly NewEvent[],
  expected: Expected,
): Record<string, unknown> {
  const steps = Object.entries(expected.steps ?? {}).map(([name, step]) => [
    name,
    typeof step === 'string' ? view.steps[name]?.status : view.steps[name],
  ])
  return {
    ...('status' in expected && { status: view.status }),
    ...('reason' in expected && { reason: view.reason }),
    ...('versions' in expected && { versions: states.map((state) => state.view.status) }),
    steps: Object.fromEntries(steps),
    publishes: events.map(plain),
  }
}

const wanted = (expected: Expected): Record<string, unknown> => ({
  ...expected,
  steps: expected.steps ?? {},
  publishes: (expected.publishes ?? []).map(plain),
})

const plain = ({ kind, data }: NewEvent): unknown => ({ event: kind.type, data })
