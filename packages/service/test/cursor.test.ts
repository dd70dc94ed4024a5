import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeCursor, encodeCursor } from '../src/cursor.ts'

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
