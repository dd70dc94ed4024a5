import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHoldingTable } from '../src/holdings.ts'

test('what is no name of a table or a column is refused', () => {
  for (const table of ['member', 'chat.', '.member', 'chat.member.x', 'chat.member; drop', 'Chat.member'])
    assert.throws(() => createHoldingTable({ table }), TypeError, table)
  for (const columns of [{ reads: ['a, b'] }, { texts: ['a"'] }])
    assert.throws(() => createHoldingTable({ table: 'chat.member', ...columns }), TypeError, JSON.stringify(columns))
})
