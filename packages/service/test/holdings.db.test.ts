import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { transaction } from '@pando/saga'
import { testDatabase } from '../../../test/support/postgres.ts'
import { createHoldingTable } from '../src/holdings.ts'
import type { Changes } from '../src/participation.ts'

const NOTHING: Changes = { gone: [], made: [], held: [], buried: [] }

test('what is saved is what is loaded, with what a service keeps beside it', async (t) => {
  const db = await testDatabase(t, {
    migrate: async (fresh) => {
      await fresh.query('create schema shed')
      await fresh.query(
        `create table shed.spade (user_id uuid primary key, made_by uuid, held_by uuid, name text not null, colour text not null, uses bigint not null default 7)`,
      )
      await fresh.query('create table shed.tombstone (saga_id uuid primary key)')
    },
  })
  const spades = createHoldingTable<{ uses: number }>({
    table: 'shed.spade',
    reads: ['uses'],
    texts: ['name', 'colour'],
  })
  const save = (changes: Partial<Changes>, textsOf?: (userId: string) => string[]): Promise<void> =>
    transaction(db, async (tx) => spades.save(tx, { ...NOTHING, ...changes }, textsOf))
  const [first, second, stranger, sagaId, deletion, late] = Array.from({ length: 6 }, () => randomUUID())
  const occurrences = [
    { userId: first!, sagaId: sagaId! },
    { userId: second!, sagaId: late! },
    { userId: stranger!, sagaId: late! },
  ]
  const load = () => transaction(db, (tx) => spades.load(tx, occurrences))

  await save(
    {
      made: [first, second].map((userId) => ({ userId: userId!, madeBy: sagaId! })),
      // In one batch somebody may come and be held.
      held: [{ userId: second!, heldBy: deletion! }],
      buried: [late!],
    },
    (userId) => [userId === first ? 'One' : 'Two', 'green'],
  )
  const { byUser, tombstones } = await load()
  assert.deepEqual(
    [...byUser].map(([userId, { madeBy, heldBy, uses }]) => ({ userId, madeBy, heldBy, uses })).toSorted(byId),
    [
      { userId: first!, madeBy: sagaId!, heldBy: null, uses: 7 },
      { userId: second!, madeBy: sagaId!, heldBy: deletion!, uses: 7 },
    ].toSorted(byId),
  )
  assert.deepEqual([...tombstones], [late])
  assert.deepEqual(await db.query('select name, colour from shed.spade order by name'), [
    { name: 'One', colour: 'green' },
    { name: 'Two', colour: 'green' },
  ])

  // Taken away and made again by another saga, and a tombstone that is there already.
  await save(
    {
      gone: [first!],
      made: [{ userId: first!, madeBy: deletion! }],
      held: [{ userId: second!, heldBy: null }],
      buried: [late!],
    },
    () => ['Three', 'red'],
  )
  await db.query('update shed.spade set made_by = null where user_id = $1', [second!])
  const after = await load()
  assert.equal(after.byUser.get(first!)?.madeBy, deletion)
  assert.partialDeepStrictEqual(after.byUser.get(second!), { madeBy: '', heldBy: null })
})

const byId = (a: { userId: string }, b: { userId: string }): number => (a.userId < b.userId ? -1 : 1)
