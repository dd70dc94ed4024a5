import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGroups } from '../src/groups.ts'
import { createRandom } from '../src/random.ts'

test('groups tell the first and the last of a key, and are what sets would be, whatever is added and dropped', () => {
  const random = createRandom(7)
  const values = Array.from({ length: 4 }, (_, i) => ({ i }))
  const groups = createGroups<string, { i: number }>()
  const sets = new Map<string, Set<{ i: number }>>(['a', 'b', 'c'].map((key) => [key, new Set()]))
  const tell = { first: 0, last: 0 }
  for (let step = 0; step < 2_000; step++) {
    const key = random.pick(['a', 'b', 'c'])
    const value = random.pick(values)
    const set = sets.get(key)!
    const before = set.size
    if (random.below(2) === 0) {
      const isFirst = groups.add(key, value)
      set.add(value)
      assert.equal(isFirst, before === 0)
      tell.first += Number(isFirst)
    } else {
      const isLast = groups.drop(key, value)
      set.delete(value)
      assert.equal(isLast, before === 1 && set.size === 0)
      tell.last += Number(isLast)
    }
    assert.deepEqual(new Set(groups.of(key)), set)
    assert.equal(groups.size(key), set.size)
    assert.equal(groups.keys, [...sets.values()].filter(({ size }) => size > 0).length)
  }
  assert.ok(tell.first > 50 && tell.last > 50)
})

test('a group may change while somebody goes through it', () => {
  const groups = createGroups<string, object>()
  const values = [{}, {}, {}]
  for (const value of values) groups.add('a', value)
  for (const value of groups.of('a')) groups.drop('a', value)
  assert.equal(groups.keys, 0)
})
