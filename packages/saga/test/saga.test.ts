import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import fc from 'fast-check'
import {
  begin,
  defineSaga,
  type EventKind,
  evolve,
  type SagaDefinition,
  SagaError,
  type SagaInput,
  type SagaState,
} from '../src/index.ts'
import { given } from '../src/testing.ts'
import {
  accountDeletion,
  declaration,
  deleted,
  deletionStarted,
  memberAdded,
  memberRefused,
  memberRemoved,
  registered,
  signUp,
  signUpFailed,
  signUpStarted,
  walletClosed,
  walletOpened,
  walletRefused,
} from './example-sagas.ts'
import { faultsOf } from './saga-rules.ts'

const user = { userId: 'u1' }
const started = signUpStarted({ ...user, name: 'nayun' })
const refusal = { ...user, reason: 'wallet_exists' }
const start: SagaState['start'] = { id: 'e1', correlationId: 'e1', data: started.data }
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6)

suite('a saga that only goes forward', () => {
  const erasure = defineSaga({
    type: 'erasure',
    starts: deletionStarted,
    deadlineMs: 1_000,
    own: 'user',
    steps: { chat: { done: memberRemoved, detail: (data) => ({ of: (data as { userId: string }).userId }) } },
    completes: deleted,
  })
  const state = begin(erasure, { id: 's1', ownerId: 'u1', start: { ...start, data: user }, now: NOW })

  test('completes with the last answer, however late, and keeps what the participant said', () => {
    assert.deepEqual(evolve(erasure, state, 'deadline', NOW + 2_000), { states: [], events: [] })
    const { states, events } = evolve(erasure, state, { type: memberRemoved.type, data: user }, NOW + 3_600_000)
    assert.deepEqual(
      states.map(({ view: { status, version, steps } }) => ({ status, version, steps })),
      [
        {
          status: 'completed',
          version: 2,
          steps: { user: { status: 'done' }, chat: { status: 'done', detail: { of: 'u1' } } },
        },
      ],
    )
    assert.deepEqual(events, [deleted(user)])
  })

  test('knows no failure: an answer that would be one changes nothing', () => {
    for (const { type } of [memberRefused, walletClosed])
      assert.deepEqual(evolve(erasure, state, { type, data: refusal }, NOW), { states: [], events: [] })
  })
})

suite('the view', () => {
  test('begins with the own step done and all others pending', () => {
    const { view } = begin(signUp, { id: 's1', ownerId: 'u1', start, now: NOW })
    assert.equal(
      JSON.stringify(view),
      JSON.stringify({
        id: 's1',
        type: 'sign-up',
        status: 'running',
        version: 1,
        steps: { user: { status: 'done' }, chat: { status: 'pending' }, customer: { status: 'pending' } },
        reason: null,
        startedAt: '2026-01-02T03:04:05.006Z',
        deadline: '2026-01-02T03:04:35.006Z',
        endedAt: null,
      }),
    )
  })

  test('a saga may have a deadline of its own', () => {
    const { view } = begin(signUp, { id: 's1', ownerId: null, start, now: NOW, deadlineMs: 500 })
    assert.equal(view.deadline, '2026-01-02T03:04:05.506Z')
  })

  test('tells in a step what the participant said of it', () => {
    const counted = defineSaga({
      ...declaration,
      steps: { chat: { ...declaration.steps.chat, detail: () => ({ rooms: 2 }) } },
    })
    given(counted, started)
      .when(memberAdded(user))
      .then({ steps: { chat: { status: 'done', detail: { rooms: 2 } } }, publishes: [registered(user)] })
  })

  test('is not touched by the next one', () => {
    const state = begin(signUp, { id: 's1', ownerId: null, start, now: NOW })
    const before = structuredClone(state)
    evolve(signUp, state, { type: 'chat.member-added', data: user }, NOW)
    assert.deepEqual(state, before)
  })
})

suite('a saga', () => {
  test('completes when all have done their steps, in any order', () => {
    for (const [first, second] of [
      [memberAdded(user), walletOpened(user)],
      [walletOpened(user), memberAdded(user)],
    ] as const)
      given(signUp, started)
        .when(first)
        .then({ status: 'running', versions: ['running'] })
        .when(second)
        .then({
          status: 'completed',
          reason: null,
          steps: { user: 'done', chat: 'done', customer: 'done' },
          versions: ['completed'],
          publishes: [registered(user)],
        })
  })

  test('fails when one refuses, and has ended when the others have undone their steps', () => {
    given(signUp, started, memberAdded(user))
      .when(walletRefused(refusal))
      .then({
        status: 'compensating',
        reason: 'wallet_exists',
        steps: { user: 'done', chat: 'done', customer: { status: 'failed', reason: 'wallet_exists' } },
        versions: ['compensating'],
        publishes: [signUpFailed(refusal)],
      })
      .when(memberRemoved(user))
      .then({
        status: 'failed',
        reason: 'wallet_exists',
        steps: { user: 'undone', chat: 'undone', customer: 'failed' },
        versions: ['failed'],
      })
  })

  test('waits, once it has failed, for those that have not answered yet', () => {
    given(signUp, started)
      .when(walletRefused(refusal))
      .then({ status: 'compensating', steps: { chat: 'pending' }, publishes: [signUpFailed(refusal)] })
      .when(memberAdded(user))
      .then({ status: 'compensating', steps: { chat: 'done' } })
      .when(memberRemoved(user))
      .then({ status: 'failed', steps: { chat: 'undone' } })
  })

  test('keeps the first reason when two refuse', () => {
    given(signUp, started, walletRefused(refusal))
      .when(memberRefused({ ...user, reason: 'name_taken' }))
      .then({
        status: 'failed',
        reason: 'wallet_exists',
        steps: { chat: { status: 'failed', reason: 'name_taken' } },
        versions: ['failed'],
      })
  })

  test('passes through compensating even when nobody has anything to undo', () => {
    const alone = defineSaga({ ...declaration, steps: { customer: declaration.steps.customer } })
    given(alone, started)
      .when(walletRefused(refusal))
      .then({ status: 'failed', versions: ['compensating', 'failed'], publishes: [signUpFailed(refusal)] })
  })

  test('skips the step of one that heard of the failure before the start', () => {
    given(signUp, started, walletRefused(refusal))
      .when(memberRemoved(user))
      .then({ status: 'failed', steps: { chat: 'skipped' } })
      .when(memberAdded(user))
      .then({ versions: [] })
  })

  test('fails when one undoes its step without being asked: it cannot complete any more', () => {
    given(signUp, started, memberAdded(user))
      .when(memberRemoved(user))
      .then({ status: 'compensating', reason: 'undone', publishes: [signUpFailed({ ...user, reason: 'undone' })] })
      .when('deadline')
      .then({ status: 'failed', steps: { user: 'undone', chat: 'undone', customer: 'failed' } })
  })

  test('does not hear an answer twice, nor another saga’s', () => {
    given(signUp, started, memberAdded(user))
      .when(memberAdded(user))
      .then({ versions: [] })
      .when(memberRefused({ ...user, reason: 'late' }))
      .then({ versions: [] })
    const state = begin(signUp, { id: 's1', ownerId: null, start, now: NOW })
    const foreign = { type: 'chat.member-suspended', data: user }
    assert.deepEqual(evolve(signUp, state, foreign, NOW), { states: [], events: [] })
  })

  test('changes no more when it has ended', () => {
    const late = [memberAdded(user), memberRemoved(user), memberRefused({ ...user, reason: 'no' }), 'deadline'] as const
    for (const input of late) {
      given(signUp, started, memberAdded(user), walletOpened(user)).when(input).then({ versions: [] })
      given(signUp, started, walletRefused(refusal), memberRemoved(user)).when(input).then({ versions: [] })
    }
  })

  test('that began before its definition got one more participant does not wait for that one', () => {
    const old = begin(defineSaga({ ...declaration, steps: { chat: declaration.steps.chat } }), {
      id: 's',
      ownerId: null,
      start,
      now: NOW,
    })
    const foreign = evolve(signUp, old, { type: 'customer.wallet-opened', data: user }, NOW + 1)
    assert.deepEqual(foreign, { states: [], events: [] })
    const { states } = evolve(signUp, old, { type: 'chat.member-added', data: user }, NOW + 1)
    assert.equal(states.at(-1)?.view.status, 'completed')
    assert.equal(evolve(signUp, old, 'deadline', NOW + 30_000).states.at(-1)?.view.status, 'failed')
  })
})

suite('the deadline', () => {
  test('fails those that never answered, and has the others undo their steps', () => {
    given(signUp, started, memberAdded(user))
      .when('deadline')
      .then({
        status: 'compensating',
        reason: 'deadline',
        steps: { user: 'done', chat: 'done', customer: { status: 'failed', reason: 'deadline' } },
        publishes: [signUpFailed({ ...user, reason: 'deadline' })],
      })
      .when(memberRemoved(user))
      .then({ status: 'failed', steps: { user: 'undone', chat: 'undone', customer: 'failed' } })
  })

  test('ends a saga to which nobody has answered', () => {
    given(signUp, started)
      .when('deadline')
      .then({
        status: 'failed',
        steps: { user: 'undone', chat: 'failed', customer: 'failed' },
        versions: ['compensating', 'failed'],
        publishes: [signUpFailed({ ...user, reason: 'deadline' })],
      })
  })

  test('ends the wait of a saga that has failed for those that never answer', () => {
    given(signUp, started, walletRefused(refusal))
      .when('deadline')
      .then({
        status: 'failed',
        reason: 'wallet_exists',
        steps: { chat: { status: 'failed', reason: 'deadline' } },
        versions: ['failed'],
      })
  })

  test('makes a success that comes after it change nothing', () => {
    given(signUp, started, memberAdded(user), 'deadline')
      .when(walletOpened(user))
      .then({ versions: [] })
      .when(walletClosed(user))
      .then({ versions: [] })
      .when(memberRemoved(user))
      .then({ status: 'failed', steps: { customer: { status: 'failed', reason: 'deadline' } } })
  })

  test('counts for an answer that is looked at before it', () => {
    const { view, ...rest } = begin(signUp, { id: 's1', ownerId: null, start, now: NOW })
    const almost = evolve(signUp, { view, ...rest }, { type: 'chat.member-added', data: user }, NOW + 1).states.at(-1)!
    const last = { type: 'customer.wallet-opened', data: user }
    assert.equal(evolve(signUp, almost, last, NOW + 29_999).states.at(-1)?.view.status, 'completed')
    const { states, events } = evolve(signUp, almost, last, NOW + 30_000)
    assert.deepEqual(
      states.map((state) => state.view.status),
      ['compensating'],
    )
    assert.deepEqual(
      events.map(({ kind }) => kind.type),
      ['user.sign-up-failed'],
    )
  })
})

test('a definition that contradicts itself is refused', () => {
  const wrong = [
    { ...declaration, deadlineMs: 0 },
    { ...declaration, deadlineMs: Number.NaN },
    { ...declaration, deadlineMs: Number.POSITIVE_INFINITY },
    { ...declaration, steps: {} },
    { ...declaration, own: 'chat' },
    { ...declaration, fails: registered },
    { ...declaration, steps: { ...declaration.steps, market: declaration.steps.chat } },
    { ...declaration, steps: { chat: { ...declaration.steps.chat, undone: memberAdded } } },
  ]
  for (const definition of wrong)
    assert.throws(
      () => defineSaga(definition as typeof declaration),
      (error) => error instanceof SagaError && error.code === 'SAGA_DEFINITION' && error.message.includes('sign-up'),
    )
})

// Participants that say what they did, and nothing else: each hears of the start and, once it was published, of the failure, in any
// order; its answers reach the saga in any order between participants, again and again, before and after the deadline.
type Participant = 'chat' | 'customer'
type Move =
  | { who: Participant; what: 'hears the start' | 'hears of the failure' | 'is heard' | 'is heard again' }
  | { wait: number }
  | 'deadline'

const who = fc.constantFrom<Participant>('chat', 'customer')
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ who, what: fc.constantFrom('hears the start', 'is heard', 'is heard again') }) },
  { weight: 2, arbitrary: fc.record({ who, what: fc.constant('hears of the failure') }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 1, arbitrary: fc.constant('deadline') },
)
const scenario = fc.record({
  moves: fc.array(move, { maxLength: 40 }),
  refusing: fc.subarray<Participant>(['chat', 'customer']),
  silent: fc.option(who),
})

suite('however answers and the deadline come', () => {
  for (const definition of [signUp, accountDeletion])
    test(`${definition.type} ends, and its views keep the rules on the way`, () => {
      fc.assert(
        fc.property(scenario, ({ moves, refusing, silent }) => {
          const { versions, published, done } = play(definition, moves, refusing, silent)
          assert.deepEqual(faultsOf(definition, versions), [])
          const { status } = versions.at(-1)!
          assert.ok(status === 'completed' || status === 'failed', `it is still ${status}`)
          assert.deepEqual(published, [status === 'completed' ? definition.completes : definition.fails])
          assert.deepEqual(done, status === 'completed' ? ['chat', 'customer'] : [])
        }),
        { numRuns: 3_000 },
      )
    })
})

/** The moves, then all that is still to be heard; the one that is silent hears of the start only when the deadline has passed. */
function play(
  definition: SagaDefinition,
  moves: readonly Move[],
  refusing: readonly Participant[],
  silent: Participant | null,
) {
  const data = { userId: 'u1', name: 'nayun', reason: 'refused' }
  let state = begin(definition, { id: 's', ownerId: null, start: { ...start, data }, now: NOW })
  let now = NOW
  const versions = [state.view]
  const published: EventKind[] = []
  const tell = (input: SagaInput): void => {
    const { states, events } = evolve(definition, state, input, now)
    versions.push(...states.map(({ view }) => view))
    published.push(...events.map(({ kind }) => kind))
    state = states.at(-1) ?? state
  }
  const past = (): boolean => now >= Date.parse(state.view.deadline)
  const one = (name: Participant) => ({
    name,
    started: false,
    cancelled: false,
    done: false,
    said: [] as SagaInput[],
    heard: 0,
  })
  const all = { chat: one('chat'), customer: one('customer') }
  const say = (self: typeof all.chat, answer: 'done' | 'failed' | 'undone'): void =>
    void self.said.push({ type: definition.steps[self.name]![answer]!.type, data })
  function make(
    self: typeof all.chat,
    what: 'hears the start' | 'hears of the failure' | 'is heard' | 'is heard again',
  ): void {
    if (what === 'is heard' && self.heard < self.said.length) tell(self.said[self.heard++]!)
    if (what === 'is heard again') for (const answer of self.said.slice(0, self.heard)) tell(answer)
    if (what === 'hears the start' && !self.started && (self.name !== silent || past())) {
      self.started = true
      if (self.cancelled) return
      self.done = !refusing.includes(self.name)
      say(self, self.done ? 'done' : 'failed')
    }
    if (what === 'hears of the failure' && !self.cancelled && published.includes(definition.fails!)) {
      self.cancelled = true
      self.done = false
      say(self, 'undone')
    }
  }
  for (const next of moves)
    if (next === 'deadline') {
      if (past()) tell(next)
    } else if ('wait' in next) now += next.wait
    else make(all[next.who], next.what)
  const finish = (): void => {
    for (const self of Object.values(all)) {
      make(self, 'hears the start')
      make(self, 'hears of the failure')
      while (self.heard < self.said.length) make(self, 'is heard')
    }
  }
  finish()
  // The others hear of the failure that the last one's answer led to.
  finish()
  now = Math.max(now, Date.parse(state.view.deadline))
  tell('deadline')
  finish()
  return { versions, published, done: Object.values(all).flatMap((self) => (self.done ? [self.name] : [])) }
}
