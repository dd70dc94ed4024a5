import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '@pando/service'
import { AT_ONCE, createPasswords } from '../src/passwords.ts'

const cheap = { memoryKib: 8, passes: 1 }

/** Every look at the clock finds it two seconds later: so whoever waited, waited long. */
function slowClock(t: { mock: { method(object: object, name: string, implementation: () => number): unknown } }): void {
  let now = 0
  t.mock.method(performance, 'now', () => (now += 2_000))
}

test('the hash is argon2id at the cost asked for, salted, and only its own password fits', async () => {
  const passwords = createPasswords({ memoryKib: 64, passes: 3 })
  const [hash, again] = await Promise.all([passwords.hash('몬스테라 deliciosa'), passwords.hash('몬스테라 deliciosa')])
  assert.match(hash, /^\$argon2id\$v=19\$m=64,t=3,p=1\$/)
  assert.notEqual(hash, again)
  assert.equal(await passwords.verify(hash, '몬스테라 deliciosa'), true)
  for (const wrong of ['몬스테라 Deliciosa', '', '몬스테라 deliciosa '])
    assert.equal(await passwords.verify(hash, wrong), false)
  assert.equal(
    await passwords.verify(undefined, 'nobody has this password'),
    false,
    'not even the one that stands in for it',
  )
})

test('no such user takes as long as a wrong password', async () => {
  const passwords = createPasswords({ memoryKib: 19_456, passes: 2 })
  const hash = await passwords.hash('the password')
  const fastest = async (stored: string | undefined): Promise<number> => {
    const times: number[] = []
    for (let i = 0; i < 7; i++) {
      const from = performance.now()
      await passwords.verify(stored, 'another password')
      times.push(performance.now() - from)
    }
    return Math.min(...times)
  }
  const [known, unknown] = [await fastest(hash), await fastest(undefined)]
  assert.ok(unknown > known / 2 && unknown < known * 2, `${unknown} ms against ${known} ms`)
})

test('as many wait as the queue is long; one more is told to come back later', async () => {
  const passwords = createPasswords({ ...cheap, queue: 3 })
  const calls = Array.from({ length: AT_ONCE + 5 }, (_, i) => passwords.hash(`password ${i}`))
  const outcomes = await Promise.allSettled(calls)
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [...Array.from({ length: AT_ONCE + 3 }, () => 'fulfilled'), 'rejected', 'rejected'],
  )
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue
    const reason: unknown = outcome.reason
    assert.ok(reason instanceof Problem && reason.code === 'unavailable')
    assert.match(reason.headers['retry-after']!, /^[1-9]\d*$/)
  }
  assert.ok(await passwords.hash('there is room again'))
})

test('at least 1,000 may wait unless it is told otherwise', async () => {
  const passwords = createPasswords(cheap)
  const hashes = await Promise.all(Array.from({ length: 1_000 + AT_ONCE }, () => passwords.hash('the password')))
  assert.equal(new Set(hashes).size, hashes.length)
})

test('who waited long is asked whether it is still wanted, in the order of coming; who did not wait is not asked', async (t) => {
  const passwords = createPasswords(cheap)
  let asked = 0
  await passwords.hash('at once', async () => void asked++)
  assert.equal(asked, 0)

  slowClock(t)
  const order: number[] = []
  await Promise.all(
    Array.from({ length: AT_ONCE + 8 }, (_, i) => passwords.hash('the password', async () => void order.push(i))),
  )
  assert.deepEqual(
    order,
    Array.from({ length: AT_ONCE + 8 }, (_, i) => i),
  )
})

test('what is not wanted any more is not hashed, says why, and keeps nobody from their turn', async (t) => {
  const passwords = createPasswords(cheap)
  slowClock(t)
  const taken = new Problem('username_taken')
  const calls = Array.from({ length: AT_ONCE + 10 }, (_, i) =>
    passwords.hash('the password', async () => {
      if (i % 2 === 1) throw taken
    }),
  )
  const outcomes = await Promise.allSettled(calls)
  for (const [i, outcome] of outcomes.entries()) {
    assert.equal(outcome.status, i % 2 === 1 ? 'rejected' : 'fulfilled')
    if (outcome.status === 'rejected') assert.equal(outcome.reason, taken)
  }
  // No turn was lost on the way: all of them, and the whole queue, can be used again.
  assert.equal(
    (await Promise.all(Array.from({ length: AT_ONCE + 10 }, () => passwords.hash('the password')))).length,
    AT_ONCE + 10,
  )
})

test('who waits for a turn is counted until it comes', async () => {
  const passwords = createPasswords(cheap)
  const calls = Array.from({ length: AT_ONCE + 3 }, () => passwords.hash('the password'))
  assert.equal(passwords.waiting(), 3)
  await Promise.all(calls)
  assert.equal(passwords.waiting(), 0)
})

test('a hash that is none is an error of its own, and keeps nobody from their turn', async () => {
  const passwords = createPasswords({ ...cheap, queue: 0 })
  for (let i = 0; i <= AT_ONCE; i++) await assert.rejects(passwords.verify('not a hash', 'the password'))
  assert.ok(await passwords.hash('the password'))
})
