import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../test/support/until.ts'
import { createGate, type Load } from '../src/gate.ts'

function setUp() {
  const passed: number[] = []
  const errors: unknown[] = []
  const gate = createGate<number>({
    pass: (event) => passed.push(event),
    pauseMs: () => 1,
    onError: (error) => errors.push(error),
  })
  /** A load that a test ends, and what it was called with. */
  function slow() {
    const calls: { signal: AbortSignal; done: () => void; fail: (error: Error) => void }[] = []
    const load: Load = ({ signal }) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      calls.push({ signal, done: resolve, fail: reject })
      return promise
    }
    return { load, calls, called: (times: number) => until(`call ${times}`, () => calls.length >= times) }
  }
  return { gate, passed, errors, slow }
}

test('events wait for all loads, then pass in order', async () => {
  const { gate, passed, slow } = setUp()
  const [a, b] = [slow(), slow()]
  gate.add(a.load)
  gate.add(b.load)
  gate.take(0)
  assert.deepEqual([a.calls.length, passed], [0, [0]], 'nothing waits before it is open')
  gate.open(true)
  for (const event of [1, 2, 3]) gate.take(event)
  a.calls[0]!.done()
  await until('a', () => a.calls.length === 1)
  gate.take(4)
  assert.deepEqual(passed, [0])
  b.calls[0]!.done()
  await until('all', () => passed.length === 5)
  gate.take(5)
  assert.deepEqual(passed, [0, 1, 2, 3, 4, 5])
})

test('opened anew, what waits is dropped, loads that run are given up, and none runs twice at once', async () => {
  const { gate, passed, slow } = setUp()
  const a = slow()
  gate.add(a.load)
  gate.open(true)
  gate.take(1)
  gate.open(true)
  gate.take(2)
  assert.deepEqual([a.calls.length, a.calls[0]!.signal.aborted], [1, true])
  a.calls[0]!.done()
  await a.called(2)
  assert.deepEqual(passed, [])
  a.calls[1]!.done()
  await until('passed', () => passed.length === 1)
  assert.deepEqual(passed, [2])
})

test('a load that fails is called again while events wait; one that was given up may fail as it likes', async () => {
  const { gate, passed, errors, slow } = setUp()
  const a = slow()
  gate.add(a.load)
  gate.open(true)
  gate.take(1)
  const bad = new Error('no network')
  a.calls[0]!.fail(bad)
  await a.called(2)
  gate.open(true)
  a.calls[1]!.fail(new Error('aborted'))
  await a.called(3)
  a.calls[2]!.done()
  gate.take(2)
  await until('passed', () => passed.length === 1)
  assert.deepEqual([passed, errors], [[2], [bad]])
})

test('a load that is added later is called at once, and the next event waits for it; removed, nothing waits for it', async () => {
  const { gate, passed, slow } = setUp()
  const a = slow()
  gate.open(true)
  const remove = gate.add(a.load)
  gate.take(1)
  assert.deepEqual(passed, [])
  remove()
  assert.deepEqual([passed, a.calls[0]!.signal.aborted], [[1], true])
  gate.open(true)
  a.calls[0]!.done()
  gate.take(2)
  assert.deepEqual([passed, a.calls.length], [[1, 2], 1])
})

test('a load that an event leads to has the events after it wait', async () => {
  const passed: number[] = []
  const { slow } = setUp()
  const [a, b] = [slow(), slow()]
  const gate = createGate<number>({
    pass(event) {
      passed.push(event)
      if (event === 2) gate.add(b.load)
    },
    pauseMs: () => 1,
    onError() {},
  })
  gate.add(a.load)
  gate.open(true)
  for (const event of [1, 2, 3]) gate.take(event)
  a.calls[0]!.done()
  await b.called(1)
  assert.deepEqual(passed, [1, 2])
  b.calls[0]!.done()
  await until('the third', () => passed.length === 3)
})

test('closed, it says whether something was cut short; opened again, that is done', async () => {
  const { gate, passed, slow } = setUp()
  const a = slow()
  gate.add(a.load)
  assert.equal(gate.close(), false)
  gate.open(false)
  gate.take(1)
  assert.equal(gate.close(), true)
  assert.equal(a.calls[0]!.signal.aborted, true)
  a.calls[0]!.fail(new Error('aborted'))
  gate.open(false)
  await a.called(2)
  a.calls[1]!.done()
  await until('done', () => !gate.close())
  gate.open(false)
  assert.deepEqual([passed, a.calls.length], [[], 2])
})

test('of too many waiting events none is kept: the state is fetched anew instead', async () => {
  const { gate, passed, slow } = setUp()
  const a = slow()
  gate.add(a.load)
  gate.open(true)
  for (let event = 0; event <= 10_002; event++) gate.take(event)
  a.calls[0]!.done()
  await a.called(2)
  a.calls[1]!.done()
  await until('passed', () => passed.length > 0)
  assert.deepEqual(passed, [10_001, 10_002])
})
