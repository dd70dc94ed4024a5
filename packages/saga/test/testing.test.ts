import assert, { AssertionError } from 'node:assert/strict'
import test, { suite } from 'node:test'
import { SagaError } from '../src/index.ts'
import { createRandom, given } from '../src/testing.ts'
import {
  deletionStarted,
  memberAdded,
  memberRemoved,
  registered,
  signUp,
  signUpFailed,
  signUpStarted,
  walletOpened,
  walletRefused,
} from './example-sagas.ts'

const user = { userId: 'u1' }
const started = signUpStarted({ ...user, name: 'nayun' })
const refusal = { ...user, reason: 'wallet_exists' }

suite('given, when, then', () => {
  test('holds when all that is named came so', () => {
    given(signUp, started, memberAdded(user))
      .when(walletRefused(refusal))
      .then({
        status: 'compensating',
        reason: 'wallet_exists',
        steps: { chat: 'done', customer: { status: 'failed', reason: 'wallet_exists' } },
        versions: ['compensating'],
        publishes: [signUpFailed(refusal)],
      })
      .when(memberRemoved(user))
      .then({ status: 'failed' })
  })

  const completing = () => given(signUp, started, memberAdded(user)).when(walletOpened(user))
  const publishes = [registered(user)]
  for (const [what, expected] of Object.entries({
    'another status': { status: 'running', publishes },
    'another reason': { reason: 'no', publishes },
    'a step with another status': { steps: { chat: 'pending', user: 'done' }, publishes },
    'a step that is not so': { steps: { chat: { status: 'done', detail: {} } }, publishes },
    'a step that is not there': { steps: { market: 'done' }, publishes },
    'other versions': { versions: [], publishes },
    'another event': { publishes: [signUpFailed(refusal)] },
    'an event with other data': { publishes: [registered({ userId: 'u2' })] },
    'an event that was not named': { status: 'completed' },
  } as const))
    test(`fails for ${what}`, () => {
      assert.throws(() => completing().then(expected), AssertionError)
    })

  test('shows the difference, and nothing that was not asked for', () => {
    assert.throws(
      () => completing().then({ status: 'running', publishes }),
      ({ actual, expected }: AssertionError) => {
        assert.deepEqual(Object.keys(actual as object).toSorted(), Object.keys(expected as object).toSorted())
        return (actual as { status: string }).status === 'completed'
      },
    )
  })

  test('takes the deadline among the events, and as the input', () => {
    given(signUp, started, 'deadline').when(memberAdded(user)).then({ status: 'failed', versions: [] })
    given(signUp, started, memberAdded(user))
      .when('deadline')
      .then({ status: 'compensating', publishes: [signUpFailed({ ...user, reason: 'deadline' })] })
  })

  test('refuses events that are not the saga’s', () => {
    const foreign = (error: unknown): boolean => error instanceof SagaError && error.code === 'SAGA_DEFINITION'
    assert.throws(() => given(signUp, deletionStarted(user)), foreign)
    assert.throws(() => given(signUp, started, started), foreign)
    assert.throws(() => given(signUp, started).when(registered(user)), foreign)
  })

  test('says so when `then` was forgotten and the test awaits', async () => {
    await assert.rejects(async () => await (completing() as unknown as Promise<void>), /say what must come of it/)
  })
})

suite('random numbers from a seed', () => {
  test('are the same for the same seed, and others for another', () => {
    const list = (seed: number) => {
      const random = createRandom(seed)
      return Array.from({ length: 20 }, () => random.next())
    }
    assert.deepEqual(list(7), list(7))
    assert.notDeepEqual(list(7), list(8))
    assert.ok(list(7).every((n) => n >= 0 && n < 1))
    // What mulberry32 gives elsewhere: a seed that a report names must mean the same in years.
    assert.deepEqual(list(1).slice(0, 3), [0.6270739405881613, 0.002735721180215478, 0.5274470399599522])
  })

  test('spread evenly', () => {
    const random = createRandom(3)
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 40_000; i++) counts[random.below(4)]!++
    assert.ok(
      counts.every((count) => Math.abs(count - 10_000) < 500),
      counts.join(),
    )
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.2)).filter(Boolean).length
    assert.ok(Math.abs(hits - 2_000) < 200, String(hits))
  })

  test('pick one of a list, and shuffle a copy of it', () => {
    const random = createRandom(5)
    const list = Object.freeze(['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual([...new Set(Array.from({ length: 100 }, () => random.pick(list)))].toSorted(), list)
    const mixed = random.shuffle(list)
    assert.notDeepEqual(mixed, list)
    assert.deepEqual(mixed.toSorted(), list)
    assert.throws(() => random.pick([]), RangeError)
  })
})
