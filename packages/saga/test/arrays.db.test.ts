import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { jsonArray, jsonTexts, plainArray } from '../src/arrays.ts'
import { testDatabase } from '../../../test/support/postgres.ts'

test('arrays arrive as they were sent', async (t) => {
  const db = await testDatabase(t)
  const ids = Array.from({ length: 3 }, () => randomUUID())
  const numbers = [0, -1, 2 ** 53 - 1]
  const every = String.fromCharCode(...Array.from({ length: 0x300 }, (_, code) => code))
  const texts = [every, '', 'a"b\\c{},\'', '\u001e', 'žába 🐸', ['\u001e', { '\u001e': '\u001e' }]].map((value) =>
    JSON.stringify(value),
  )
  const [row] = await db.query<{ ids: string[]; numbers: string[]; texts: string[] }>(
    `select $1::uuid[]::text[] as ids, $2::bigint[]::text[] as numbers, ${jsonArray(3)} as texts`,
    [plainArray(ids), plainArray(numbers), jsonTexts(texts)],
  )
  assert.deepEqual(row, { ids, numbers: numbers.map(String), texts })
  const [none] = await db.query<{ ids: string[]; texts: string[] }>(
    `select $1::uuid[] as ids, ${jsonArray(2)} as texts`,
    [plainArray([]), jsonTexts([])],
  )
  assert.deepEqual(none, { ids: [], texts: [] })
})
