import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBell, createHourly, createLoop } from '../src/loop.ts'

const A_MINUTE = 60_000
const noError = (error: Error): void => assert.fail(error)

test('a ring ends the wait; one that nobody heard ends the next', async () => {
  const bell = createBell()
  const waiting = bell.wait(A_MINUTE)
  bell.ring()
  await waiting
  bell.ring()
  bell.ring()
  await bell.wait(A_MINUTE)
  const from = performance.now()
  await bell.wait(30)
  assert.ok(performance.now() - from > 25, 'two rings that nobody heard are one')
})

test('a loop takes turns until it is stopped, and ends once', async () => {
  const bell = createBell()
  const seen: string[] = []
  const loop = createLoop({
    bell,
    onError: noError,
    async turn() {
      seen.push('turn')
      if (seen.length < 3) return
      const waiting = bell.wait(A_MINUTE)
      reached()
      await waiting
    },
    end: async () => void seen.push('end'),
  })
  const { promise: third, resolve: reached } = Promise.withResolvers<void>()
  loop.start()
  loop.start()
  await third
  await Promise.all([loop.stop(), loop.stop()])
  await loop.stop()
  assert.deepEqual(seen, ['turn', 'turn', 'turn', 'end'])
})

test('stop waits for the running turn, which can ask whether it should end', async () => {
  const { promise: running, resolve: entered } = Promise.withResolvers<void>()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  let told: boolean | undefined
  const loop = createLoop({
    bell: createBell(),
    onError: noError,
    async turn(stopping) {
      entered()
      await gate
      told = stopping()
    },
  })
  loop.start()
  await running
  let stopped = false
  const stopping = loop.stop().then(() => (stopped = true))
  await new Promise(setImmediate)
  assert.equal(stopped, false)
  open()
  await stopping
  assert.equal(told, true)
})

test('a loop that was never started stops, and does not start any more', async () => {
  const loop = createLoop({ bell: createBell(), onError: noError, turn: async () => assert.fail('a turn') })
  await loop.stop()
  loop.start()
  await loop.stop()
})

test('after errors it waits, longer each time up to five seconds, until a turn succeeds', async (t) => {
  const waits: number[] = []
  const setTimeout = globalThis.setTimeout
  t.mock.method(globalThis, 'setTimeout', (fn: () => void, ms: number) => {
    waits.push(ms)
    return setTimeout(fn, 0)
  })
  const errors: string[] = []
  let turns = 0
  const { promise: done, resolve } = Promise.withResolvers<void>()
  const loop = createLoop({
    bell: createBell(),
    onError: (error) => errors.push(error.message),
    async turn() {
      turns++
      if (turns === 10) return
      if (turns === 12) return resolve(loop.stop())
      throw new Error(`turn ${turns}`)
    },
  })
  loop.start()
  await done
  assert.equal(errors.length, 10)
  const expected = [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 50]
  assert.equal(waits.length, expected.length)
  for (const [i, ms] of expected.entries())
    assert.ok(waits[i]! >= ms * 0.75 && waits[i]! <= ms * 1.25, `${waits[i]} ms`)
})

test('stop ends the pause after an error', async () => {
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  let turns = 0
  const loop = createLoop({
    bell: createBell(),
    onError: () => turns === 9 && resolve(),
    async turn() {
      turns++
      // Up to here the pauses are short enough to be waited for.
      if (turns < 4) throw new Error('again')
      turns = 9
      throw new Error('now the pause is long')
    },
  })
  loop.start()
  await failed
  const from = performance.now()
  await loop.stop()
  assert.ok(performance.now() - from < 200)
})

test('an error of the last turn is told', async () => {
  const { promise: running, resolve: entered } = Promise.withResolvers<void>()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const errors: string[] = []
  const loop = createLoop({
    bell: createBell(),
    onError: (error) => errors.push(error.message),
    async turn() {
      entered()
      await gate
      throw new Error('the last')
    },
  })
  loop.start()
  await running
  const stopping = loop.stop()
  open()
  await stopping
  assert.deepEqual(errors, ['the last'])
})

for (const atOnce of [false, true])
  test(`once an hour${atOnce ? ', and when it is started' : ''}; not because it is stopped`, async (t) => {
    const real = setTimeout
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const turn = (): Promise<void> => new Promise((resolve) => void real(resolve))
    let times = 0
    const hourly = createHourly({ atOnce, onError: noError, task: async () => void times++ })
    hourly.start()
    await turn()
    assert.equal(times, atOnce ? 1 : 0)
    for (let hour = 1; hour <= 2; hour++) {
      t.mock.timers.tick(59 * A_MINUTE)
      await turn()
      assert.equal(times, hour - 1 + Number(atOnce))
      t.mock.timers.tick(A_MINUTE)
      await turn()
      assert.equal(times, hour + Number(atOnce))
    }
    await hourly.stop()
    assert.equal(times, 2 + Number(atOnce))
  })
