import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patiently } from '@pando/service'

const isEnough = (n: number): boolean => n === 3
const counter = () => {
  let n = 0
  return async () => ++n
}

test('it asks until the answer is enough', async () => {
  assert.equal(await patiently(60_000, counter(), isEnough), 3)
})

test('without patience it asks once, and gives whatever the answer is', async () => {
  assert.equal(await patiently(0, counter(), isEnough), 1)
})

test('when the time is over it gives the last answer', async () => {
  const from = performance.now()
  assert.ok((await patiently(60, counter(), (n) => n > 1_000)) > 1)
  assert.ok(performance.now() - from >= 60)
})

test('what fails is not asked again', async () => {
  let n = 0
  const failing = async () => {
    n++
    throw new Error('no')
  }
  await assert.rejects(patiently(60_000, failing, isEnough), { message: 'no' })
  assert.equal(n, 1)
})
