import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeCursor, encodeCursor, pageOf } from '../src/cursor.ts'

const isPair = (value: unknown): value is [number, string] =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'string'

test('a cursor comes back as it was', () => {
  const text = encodeCursor([7, '몬스테라'])
  assert.match(text, /^[A-Za-z0-9_-]+$/)
  assert.deepEqual(decodeCursor(text, isPair), [7, '몬스테라'])
})

test('anything else is a fault of the query', () => {
  for (const text of ['', '!!', 'bnVsbA', encodeCursor([7]), encodeCursor({}), encodeCursor([7, 'a\u0000b'])])
    assert.throws(() => decodeCursor(text, isPair), {
      code: 'validation_failed',
      errors: [{ path: '/cursor', message: 'is not a cursor of this list' }],
    })
})

test('a list that is at hand comes in pages, in the order of its keys, whatever went or came in between', () => {
  const list = ['d', 'a', 'c', 'b'].map((name) => ({ name }))
  const page = (items: { name: string }[], limit: number, cursor?: string) =>
    pageOf(items, { limit, ...(cursor !== undefined && { cursor }) }, ({ name }) => name)
  const names = ({ items }: { items: { name: string }[] }) => items.map(({ name }) => name)
  assert.deepEqual(names(page(list, 4)), ['a', 'b', 'c', 'd'])
  assert.equal(page(list, 4).next, null)
  assert.deepEqual(page([], 1), { items: [], next: null })
  const first = page(list, 2)
  assert.deepEqual(names(first), ['a', 'b'])
  const last = page(list, 2, first.next!)
  assert.deepEqual([names(last), last.next], [['c', 'd'], null])
  const changed = [...list.filter(({ name }) => name !== 'b'), { name: 'aa' }, { name: 'bb' }]
  assert.deepEqual(names(page(changed, 9, first.next!)), ['bb', 'c', 'd'])
  assert.throws(() => page(list, 2, encodeCursor(7)), { code: 'validation_failed' })
})
