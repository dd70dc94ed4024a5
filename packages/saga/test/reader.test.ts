import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReader } from '../src/reader.ts'
import type { PlacedRecord } from '../src/transport.ts'

const A_MINUTE = 60_000
const record: PlacedRecord = {
  id: 'id',
  topic: 'topic',
  key: 'key',
  type: 'type',
  body: 'null',
  partition: 0,
  offset: 0,
}

/** A reader of a log that is empty until it is filled; `looks` counts how often it was looked at. */
function setUp() {
  const log = { records: [] as PlacedRecord[], looks: 0, closed: 0 }
  const reader = createReader(
    async () => {
      log.looks++
      return log.records
    },
    () => log.closed++,
  )
  return { log, reader, poll: (waitMs: number) => reader.poll([], 10, waitMs) }
}

test('a poll gives what is there, at once', async () => {
  const { log, poll } = setUp()
  log.records = [record]
  assert.deepEqual(await poll(A_MINUTE), [record])
  assert.equal(log.looks, 1)
})

test('news make it look again, as often as they come', async () => {
  const { log, reader, poll } = setUp()
  const polling = poll(A_MINUTE)
  for (let i = 2; i < 5; i++) {
    reader.news()
    while (log.looks < i) await Promise.resolve()
  }
  log.records = [record]
  reader.news()
  assert.deepEqual(await polling, [record])
  assert.equal(log.looks, 5)
})

test('news that come during the look are not lost', async () => {
  const found: PlacedRecord[][] = [[], [record]]
  const reader = createReader(
    async () => {
      const records = found.shift()!
      // The log is filled after it was looked at, before the poll waits.
      if (records.length === 0) reader.news()
      return records
    },
    () => {},
  )
  assert.deepEqual(await reader.poll([], 10, A_MINUTE), [record])
})

test('without news it looks once more at the end of the wait', async () => {
  const { log, poll } = setUp()
  const polling = poll(20)
  log.records = []
  assert.deepEqual(await polling, [])
  assert.equal(log.looks, 2)
  assert.deepEqual(await poll(0), [])
  assert.equal(log.looks, 3, 'no wait, one look')
})

test('wake ends one poll: the one that waits, or the next', async () => {
  const { reader, poll } = setUp()
  const polling = poll(A_MINUTE)
  await Promise.resolve()
  reader.wake()
  assert.deepEqual(await polling, [])
  reader.wake()
  reader.wake()
  assert.deepEqual(await poll(A_MINUTE), [])
  const from = performance.now()
  await poll(30)
  assert.ok(performance.now() - from > 25, 'the one after that waits again')
})

test('close ends the poll that waits and all later ones, without another look', async () => {
  const { log, reader, poll } = setUp()
  const polling = poll(A_MINUTE)
  await Promise.resolve()
  const looks = log.looks
  await reader.close()
  log.records = [record]
  assert.deepEqual(await polling, [])
  assert.deepEqual(await poll(A_MINUTE), [])
  assert.deepEqual([log.looks, log.closed], [looks, 1])
})

test('what the look rejects with, the poll does, and the next one goes on', async () => {
  let fails = true
  const reader = createReader(
    async () => {
      if (fails) throw new Error('the log is away')
      return [record]
    },
    () => {},
  )
  await assert.rejects(reader.poll([], 10, A_MINUTE), /the log is away/)
  fails = false
  assert.deepEqual(await reader.poll([], 10, A_MINUTE), [record])
})
