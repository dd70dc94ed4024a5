import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBatcher } from '../src/batcher.ts'

/** A batcher whose batches end when the test says so; `batches` are those begun. */
function held(options?: Parameters<typeof createBatcher>[1]) {
  const batches: { items: number[]; end(results?: (string | Error)[]): void; fail(error: Error): void }[] = []
  const begun: (() => void)[] = []
  const ask = createBatcher<number, string>((items) => {
    const { promise, resolve, reject } = Promise.withResolvers<(string | Error)[]>()
    batches.push({ items, end: (results = items.map(String)) => resolve(results), fail: reject })
    begun.splice(0).forEach((tell) => tell())
    return promise
  }, options)
  /** Resolves with the n-th batch once it has begun. */
  const batch = async (n: number) => {
    while (batches.length < n) await new Promise<void>((resolve) => void begun.push(resolve))
    return batches[n - 1]!
  }
  return { ask, batch, batches }
}

test('calls that come together go together; each gets its own result', async () => {
  const { ask, batch } = held()
  const calls = [1, 2, 3].map(ask)
  const first = await batch(1)
  assert.deepEqual(first.items, [1, 2, 3])
  first.end()
  assert.deepEqual(await Promise.all(calls), ['1', '2', '3'])
})

test('what comes while a batch runs waits for its end, then goes together; one batch at a time', async () => {
  const { ask, batch, batches } = held()
  const first = ask(1)
  const running = await batch(1)
  const later = [2, 3].map(ask)
  // A turn of the event loop, in which a second batch could begin.
  await new Promise(setImmediate)
  assert.equal(batches.length, 1)
  running.end()
  assert.equal(await first, '1')
  const second = await batch(2)
  assert.deepEqual(second.items, [2, 3])
  const last = ask(4)
  second.end()
  assert.deepEqual(await Promise.all(later), ['2', '3'])
  ;(await batch(3)).end()
  assert.equal(await last, '4')
})

test('after a pause it goes on', async () => {
  const { ask, batch } = held()
  for (let n = 1; n <= 3; n++) {
    const call = ask(n)
    ;(await batch(n)).end()
    assert.equal(await call, String(n))
  }
})

test('a batch has at most so many, the others follow in order', async () => {
  const { ask, batch, batches } = held({ max: 2 })
  const calls = [1, 2, 3, 4, 5].map(ask)
  for (let n = 1; n <= 3; n++) (await batch(n)).end()
  assert.deepEqual(await Promise.all(calls), ['1', '2', '3', '4', '5'])
  assert.deepEqual(
    batches.map(({ items }) => items),
    [[1, 2], [3, 4], [5]],
  )
})

test('with more on their way a batch waits until it is full, until none are, or until its time is over', async () => {
  let more = true
  const { ask, batch } = held({ max: 3, gather: { ms: 60_000, while: () => more } })
  const calls: Promise<string>[] = []
  const askLater = async (n: number): Promise<void> => {
    calls.push(ask(n))
    await new Promise(setImmediate)
  }
  for (const n of [1, 2, 3]) await askLater(n)
  assert.deepEqual((await batch(1)).items, [1, 2, 3], 'full')
  ;(await batch(1)).end()
  await askLater(4)
  more = false
  await askLater(5)
  assert.deepEqual((await batch(2)).items, [4, 5], 'no more to come')
  ;(await batch(2)).end()
  await Promise.all(calls)

  const patient = held({ gather: { ms: 1, while: () => true } })
  const call = patient.ask(1)
  ;(await patient.batch(1)).end()
  assert.equal(await call, '1', 'its time is over')

  const enough = held({ gather: { ms: 60_000, while: (gathered) => gathered < 2 } })
  const two = [enough.ask(1), enough.ask(2)]
  const both = await enough.batch(1)
  assert.deepEqual(both.items, [1, 2], 'as many as were wanted')
  both.end()
  await Promise.all(two)
})

test('an error among the results is the error of that call alone', async () => {
  const { ask, batch } = held()
  const calls = Promise.allSettled([1, 2, 3].map(ask))
  const error = new Error('not this one')
  ;(await batch(1)).end(['a', error, 'c'])
  assert.deepEqual(await calls, [
    { status: 'fulfilled', value: 'a' },
    { status: 'rejected', reason: error },
    { status: 'fulfilled', value: 'c' },
  ])
})

test('a batch that fails rejects all its calls, and the next ones are tried', async () => {
  const { ask, batch } = held()
  const calls = Promise.allSettled([1, 2].map(ask))
  const error = new Error('the database is gone')
  ;(await batch(1)).fail(error)
  assert.deepEqual(
    (await calls).map((call) => call.status === 'rejected' && call.reason),
    [error, error],
  )
  const next = ask(3)
  ;(await batch(2)).end()
  assert.equal(await next, '3')
})

test('a batch that throws before it waits for anything rejects its calls as well', async () => {
  let runs = 0
  const ask = createBatcher<number, number>((items) => {
    if (runs++ === 0) throw new Error('at once')
    return Promise.resolve(items)
  })
  await assert.rejects(ask(1), /at once/)
  assert.equal(await ask(2), 2)
})
