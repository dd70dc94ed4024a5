import { SagaError } from './errors.ts'
import type { Envelope, EventKind, NewEvent } from './event.ts'

export type SagaStatus = 'running' | 'completed' | 'compensating' | 'failed'
export type StepStatus = 'pending' | 'done' | 'failed' | 'undone' | 'skipped'

export interface Step {
  status: StepStatus
  /** Why it failed: a word for programs, such as `wallet_not_empty`, or `deadline`. */
  reason?: string
  /** What the participant said about what it did. */
  detail?: Record<string, unknown>
}

/** A saga as people see it. Times are ISO 8601; `version` starts at 1 and grows by one with each stored change. */
export interface SagaView {
  id: string
  type: string
  status: SagaStatus
  version: number
  steps: Record<string, Step>
  reason: string | null
  startedAt: string
  deadline: string
  endedAt: string | null
}

/** What is stored of a running saga: the view, and what is needed to go on. */
export interface SagaState {
  view: SagaView
  ownerId: string | null
  /** The event that started it. */
  start: Pick<Envelope, 'id' | 'correlationId' | 'traceparent' | 'data'>
}

interface Refusal extends EventKind {
  parse(data: unknown): { reason: string }
}
type Making<Data> = EventKind & ((data: Data) => NewEvent)

/** The answer of a participant that can only do its part. */
export interface ForwardStep {
  done: EventKind
  /** What of the data of `done` goes into the step's `detail`. */
  detail?: (data: unknown) => Record<string, unknown>
}

/** The answers of a participant that may refuse, and that can undo what it did. */
export interface UndoableStep extends ForwardStep {
  /** Its data has a `reason`. */
  failed: Refusal
  undone: EventKind
}

/** One or the other: a saga has only steps of one kind. */
export type StepDefinition = ForwardStep & Partial<UndoableStep>

export interface SagaDefinition<Start = never> {
  readonly type: string
  readonly starts: EventKind & ((data: Start) => NewEvent)
  readonly deadlineMs: number
  /** The initiating service's own step: done by the start itself, undone when the saga has failed. */
  readonly own?: string
  readonly steps: Readonly<Record<string, StepDefinition>>
  readonly completes: EventKind
  /** Undefined: it only goes forward. */
  readonly fails?: EventKind
}

/**
 * Declares a choreographed saga: nobody is commanded. `starts` is what the participants react to; each answers with its step's
 * `done` or `failed`. When all are done, `completes` is published, with the data of the start; when one failed, or the deadline
 * passed, `fails` is, with the data of the start and the reason, and each participant undoes what this saga made it do and says
 * `undone`: also one that did nothing, so that nobody waits for it.
 *
 * Without `fails` the saga only goes forward: what it is about cannot be undone, so nobody may refuse, and each does its part however
 * long that takes. Past its deadline it is overdue, which operators see, and goes on.
 *
 * Throws SAGA_DEFINITION for a deadline that is not positive, no steps, a step with the name of the own one, or an event that stands
 * twice.
 */
export function defineSaga<Start extends object>(
  definition: {
    type: string
    starts: Making<Start>
    deadlineMs: number
    own?: string
    completes: Making<Start>
  } & (
    | { steps: Readonly<Record<string, UndoableStep>>; fails: Making<Start & { reason: string }> }
    | { steps: Readonly<Record<string, ForwardStep>>; fails?: never }
  ),
): SagaDefinition<Start> {
  const { type, steps, deadlineMs, own } = definition
  const wrong = (why: string): SagaError => new SagaError('SAGA_DEFINITION', `saga "${type}" ${why}`)
  if (!(deadlineMs > 0 && Number.isFinite(deadlineMs)))
    throw wrong(`has the deadline ${deadlineMs} ms; it must be positive`)
  if (Object.keys(steps).length === 0) throw wrong('has no steps')
  if (own !== undefined && own in steps) throw wrong(`has "${own}" both as its own step and as a participant's`)
  const types = [...sayingsOf(definition), ...answersTo(definition)].map((kind) => kind.type)
  const twice = types.find((name, i) => types.indexOf(name) !== i)
  if (twice) throw wrong(`uses ${twice} for two things`)
  return definition
}

/** What the service that starts a saga says of it. */
export const sayingsOf = ({ starts, completes, fails }: SagaDefinition<never>): EventKind[] =>
  fails ? [starts, completes, fails] : [starts, completes]

/** What the participants of a saga say. */
export const answersTo = ({ steps }: Pick<SagaDefinition, 'steps'>): EventKind[] =>
  Object.values(steps).flatMap(({ done, failed, undone }) => (failed && undone ? [done, failed, undone] : [done]))

/** What makes a saga go on: an answer, or the time. */
export type SagaInput = Pick<Envelope, 'type' | 'data'> | 'deadline'

/**
 * The first state of a saga: own step done, all others pending. `now` and the deadline in milliseconds.
 */
export function begin(
  definition: SagaDefinition<never>,
  saga: { id: string; ownerId: string | null; start: SagaState['start']; now: number; deadlineMs?: number },
): SagaState {
  const steps: Record<string, Step> = {}
  if (definition.own !== undefined) steps[definition.own] = { status: 'done' }
  for (const name of Object.keys(definition.steps)) steps[name] = { status: 'pending' }
  const view: SagaView = {
    id: saga.id,
    type: definition.type,
    status: 'running',
    version: 1,
    steps,
    reason: null,
    startedAt: new Date(saga.now).toISOString(),
    deadline: new Date(saga.now + (saga.deadlineMs ?? definition.deadlineMs)).toISOString(),
    endedAt: null,
  }
  return { view, ownerId: saga.ownerId, start: saga.start }
}

/** What an input did to a saga: the states it went through, each a version, and the events to publish with the first of them. */
export interface Evolution {
  states: SagaState[]
  events: NewEvent[]
}

/**
 * One input to a saga, purely. Nothing changes by a repeat, an answer that comes too late, or an event that is no answer of its.
 * `now` in milliseconds. Answers may come twice and in any order between participants.
 */
export function evolve(definition: SagaDefinition<never>, state: SagaState, input: SagaInput, now: number): Evolution {
  // Once its deadline has passed, no answer completes a saga, even if it comes before the loop that looks for deadlines.
  const late = definition.fails && input !== 'deadline' && now >= Date.parse(state.view.deadline)
  if (!late) return change(definition, state, input, now)
  const expired = change(definition, state, 'deadline', now)
  const after = change(definition, expired.states.at(-1) ?? state, input, now)
  return { states: [...expired.states, ...after.states], events: [...expired.events, ...after.events] }
}

function change(definition: SagaDefinition<never>, state: SagaState, input: SagaInput, now: number): Evolution {
  let { view } = state
  const states: SagaState[] = []
  const events: NewEvent[] = []
  if (view.endedAt !== null) return { states, events }
  const { fails } = definition
  const steps = input === 'deadline' ? fails && expire(view.steps) : answer(definition, view.steps, input)
  if (steps === undefined) return { states, events }
  const become = (next: Partial<SagaView>): void => {
    view = { ...view, ...next, version: view.version + 1 }
    states.push({ ...state, view })
  }
  // Of the steps it began with: a participant that a newer version of the definition has added was never asked.
  const { own } = definition
  const all = Object.keys(steps).flatMap((name) => (name === own ? [] : [steps[name]!]))
  const broken = all.find(({ status }) => status !== 'pending' && status !== 'done')
  const settled = all.every(({ status }) => status !== 'pending' && status !== 'done')
  const endedAt = new Date(now).toISOString()
  if (view.status === 'running' && fails && broken !== undefined) {
    const reason = broken.reason ?? broken.status
    become({ steps, status: 'compensating', reason })
    events.push((fails as Making<unknown>)({ ...(state.start.data as object), reason }))
  } else if (view.status === 'running' && all.every(({ status }) => status === 'done')) {
    become({ steps, status: 'completed', endedAt })
    events.push((definition.completes as Making<unknown>)(state.start.data))
  } else if (!settled) become({ steps })
  // Nothing is left to wait for: what was done is undone, what never answered has failed.
  if (settled)
    become({ steps: own === undefined ? steps : { ...steps, [own]: { status: 'undone' } }, status: 'failed', endedAt })
  return { states, events }
}

function expire(steps: SagaView['steps']): SagaView['steps'] | undefined {
  const late = Object.keys(steps).filter((name) => steps[name]!.status === 'pending')
  if (late.length === 0) return undefined
  return {
    ...steps,
    ...Object.fromEntries(late.map((name) => [name, { status: 'failed', reason: 'deadline' } as const])),
  }
}

function answer(
  definition: SagaDefinition<never>,
  steps: SagaView['steps'],
  event: Pick<Envelope, 'type' | 'data'>,
): SagaView['steps'] | undefined {
  for (const [name, step] of Object.entries(definition.steps)) {
    const before = steps[name]?.status
    // A success that comes after the deadline finds its step failed and changes nothing: `fails` is on its way to the participant.
    if (event.type === step.done.type && before === 'pending')
      return { ...steps, [name]: { status: 'done', ...(step.detail && { detail: step.detail(event.data) }) } }
    if (!step.failed || !step.undone) continue
    if (event.type === step.failed.type && before === 'pending')
      return { ...steps, [name]: { status: 'failed', reason: step.failed.parse(event.data).reason } }
    if (event.type === step.undone.type && before === 'done') return { ...steps, [name]: { status: 'undone' } }
    // `fails` reached it before `starts`, or nothing had been done: it will not do it any more.
    if (event.type === step.undone.type && before === 'pending') return { ...steps, [name]: { status: 'skipped' } }
  }
  return undefined
}
