import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRecent } from '../src/recent.ts'
import type { PlacedRecord } from '../src/transport.ts'

const record = (offset: number, body = 'null'): PlacedRecord => ({
  id: `id ${offset}`,
  topic: 'topic',
  key: 'key',
  type: 'type',
  body,
  partition: 0,
  offset,
})
const offsets = (records: readonly PlacedRecord[]): number[] => records.map(({ offset }) => offset)

test('gives what it has been given, from an offset on', () => {
  const recent = createRecent()
  for (let offset = 5; offset < 10; offset++) recent.add(record(offset))
  assert.deepEqual(offsets(recent.from(5, 100)), [5, 6, 7, 8, 9])
  assert.deepEqual(offsets(recent.from(7, 2)), [7, 8])
})

test('has nothing from before its first record, nor from after its last', () => {
  const recent = createRecent()
  assert.deepEqual(recent.from(0, 10), [])
  for (let offset = 5; offset < 10; offset++) recent.add(record(offset))
  assert.deepEqual(recent.from(4, 10), [])
  assert.deepEqual(recent.from(10, 10), [], 'another process may have published there')
})

test('whatever order and gaps records come in, it never gives a wrong one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(30), { maxLength: 60 }),
      fc.nat(30),
      fc.integer({ min: 1, max: 40 }),
      (added, from, count) => {
        const recent = createRecent()
        for (const offset of added) recent.add(record(offset))
        const found = offsets(recent.from(from, count))
        assert.deepEqual(
          found,
          Array.from({ length: found.length }, (_, i) => from + i),
        )
        assert.ok(found.length <= count && found.every((offset) => added.includes(offset)))
      },
    ),
  )
})

test('a late answer to an earlier publish does not drop what came after it', () => {
  const recent = createRecent()
  for (const offset of [5, 6, 3, 4]) recent.add(record(offset))
  assert.deepEqual(offsets(recent.from(5, 10)), [5, 6])
})

test('keeps the newest, within limits of number and of size', () => {
  const many = createRecent()
  for (let offset = 0; offset < 10_000; offset++) many.add(record(offset))
  assert.equal(many.from(9_999, 1).length, 1)
  assert.equal(many.from(9_000, 10_000).length, 1_000, 'the last thousand at least')
  assert.equal(many.from(7_000, 1).length, 0)

  const large = createRecent()
  const body = 'x'.repeat(50_000)
  for (let offset = 0; offset < 100; offset++) large.add(record(offset, body))
  const kept = Array.from({ length: 100 }, (_, offset) => large.from(offset, 1).length).filter(
    (count) => count > 0,
  ).length
  assert.ok(kept >= 2 && kept <= 5, `${kept} bodies of 50,000 characters`)
  large.add(record(100, 'x'.repeat(1_000_000)))
  assert.equal(large.from(100, 1).length, 0, 'one that is larger than the limit is not kept')
  large.add(record(101))
  assert.deepEqual(offsets(large.from(101, 10)), [101])
})
