import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Decision,
  type Happening,
  type Holding,
  type Holdings,
  occurrence,
  type Occurrence,
  participate,
} from '../src/participation.ts'

const HAPPENINGS: Happening[] = ['sign-up-started', 'sign-up-failed', 'deletion-started', 'deletion-refused', 'deleted']

// Every state that a user's row can be in, seen from an event of saga `mine`; the tombstone of that saga is there or not.
const STATES: Record<string, Holding | undefined> = {
  'no row': undefined,
  'made by mine': { madeBy: 'mine', heldBy: null },
  'made by another': { madeBy: 'another', heldBy: null },
  'held by mine': { madeBy: 'another', heldBy: 'mine' },
  'held by another': { madeBy: 'another', heldBy: 'third' },
}
const create: Decision = { effect: 'create' }
const undo: Decision = { effect: 'undo' }
const hold: Decision = { effect: 'hold' }
const release: Decision = { effect: 'release' }
const erase: Decision = { effect: 'erase' }
const exists: Decision = { refuse: 'user_exists' }
const unknown: Decision = { refuse: 'user_unknown' }
const running: Decision = { refuse: 'deletion_running' }

// What is decided, in the order of HAPPENINGS; `bury`: nothing is, and a tombstone is left.
const TABLE: Record<string, (Decision | 'bury')[]> = {
  'no row': [create, 'bury', unknown, 'bury', undefined],
  'made by mine': [exists, undo, hold, 'bury', undefined],
  'made by another': [exists, 'bury', hold, 'bury', undefined],
  'held by mine': [exists, 'bury', running, release, erase],
  'held by another': [exists, 'bury', running, 'bury', undefined],
}

for (const [state, holding] of Object.entries(STATES))
  for (const buried of [false, true])
    HAPPENINGS.forEach((what, column) => {
      test(`${what}, ${state}${buried ? ', buried before' : ''}`, () => {
        const before: Holdings = {
          byUser: new Map(holding && [['u', holding]]),
          tombstones: new Set(buried ? ['mine'] : []),
        }
        const { decisions, changes } = participate(before, [{ userId: 'u', sagaId: 'mine', what }])
        // A beginning whose end was there before does nothing; ends do not ask.
        const wanted = buried && what.endsWith('-started') ? undefined : TABLE[state]![column]
        assert.deepEqual(decisions, [wanted === 'bury' ? undefined : wanted])
        const effect = typeof wanted === 'object' && 'effect' in wanted ? wanted.effect : undefined
        assert.deepEqual(changes, {
          gone: effect === 'undo' || effect === 'erase' ? ['u'] : [],
          made: effect === 'create' ? [{ userId: 'u', madeBy: 'mine' }] : [],
          held:
            effect === 'hold'
              ? [{ userId: 'u', heldBy: 'mine' }]
              : effect === 'release'
                ? [{ userId: 'u', heldBy: null }]
                : [],
          buried: wanted === 'bury' && !buried ? ['mine'] : [],
        })
      })
    })

test('a participant may have its own reason to refuse a deletion, and is not asked about one that runs', () => {
  const before: Holdings = {
    byUser: new Map([
      ['rich', { madeBy: 's', heldBy: null }],
      ['held', { madeBy: 's', heldBy: 'd' }],
    ]),
    tombstones: new Set(),
  }
  const deletions = ['rich', 'held', 'none'].map((userId): Occurrence => ({
    userId,
    sagaId: `d-${userId}`,
    what: 'deletion-started',
  }))
  const { decisions } = participate(before, deletions, () => 'wallet_not_empty')
  assert.deepEqual(decisions, [{ refuse: 'wallet_not_empty' }, running, unknown])
})

// Users and sagas few enough to meet; a saga belongs to one user, and each of its events comes once, as the inbox sees to.
const occurrences = fc.uniqueArray(
  fc
    .record({ userId: fc.constantFrom('a', 'b'), n: fc.nat({ max: 3 }), what: fc.constantFrom(...HAPPENINGS) })
    .map(({ userId, n, what }): Occurrence => ({
      userId,
      what,
      sagaId: `${userId}${what.startsWith('sign-up') ? 's' : 'd'}${n}`,
    })),
  { maxLength: 14, selector: ({ sagaId, what }) => `${sagaId} ${what}` },
)

/** What a service's tables hold after a batch. */
function written({ byUser, tombstones }: Holdings, { changes }: ReturnType<typeof participate>): Holdings {
  const rows = new Map(byUser)
  for (const userId of changes.gone) assert.ok(rows.delete(userId), 'only what is there goes')
  for (const { userId, madeBy } of changes.made) {
    assert.ok(!rows.has(userId), 'a key is inserted once')
    rows.set(userId, { madeBy, heldBy: null })
  }
  for (const { userId, heldBy } of changes.held) {
    assert.ok(rows.has(userId))
    rows.set(userId, { ...rows.get(userId)!, heldBy })
  }
  for (const sagaId of changes.buried) assert.ok(!tombstones.has(sagaId), 'a tombstone is new')
  return { byUser: rows, tombstones: new Set([...tombstones, ...changes.buried]) }
}

const NOTHING: Holdings = { byUser: new Map(), tombstones: new Set() }

test('however events are batched, the decisions and the tables are the same', () => {
  fc.assert(
    fc.property(occurrences, fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 14 }), (events, sizes) => {
      let oneByOne = NOTHING
      const decisions = events.flatMap((event) => {
        const result = participate(oneByOne, [event])
        oneByOne = written(oneByOne, result)
        return result.decisions
      })
      let batched = NOTHING
      const inBatches: Decision[] = []
      for (let from = 0, i = 0; from < events.length; from += sizes[i - 1] ?? events.length) {
        const batch = events.slice(from, from + (sizes[i++] ?? events.length))
        const result = participate(batched, batch)
        batched = written(batched, result)
        inBatches.push(...result.decisions)
      }
      assert.deepEqual(inBatches, decisions)
      assert.deepEqual(batched, oneByOne)
    }),
    { numRuns: 2_000 },
  )
})

test('nothing stays of a failed sign-up, wherever its end comes in, and no deletion undoes what another holds', () => {
  fc.assert(
    fc.property(occurrences, (events) => {
      const { decisions, changes } = participate(NOTHING, events)
      const after = written(NOTHING, { decisions, changes })
      const ended = (what: Happening) => new Set(events.flatMap((event) => (event.what === what ? [event.sagaId] : [])))
      for (const { madeBy, heldBy } of after.byUser.values()) {
        assert.ok(!ended('sign-up-failed').has(madeBy), 'no row of a failed sign-up')
        assert.ok(heldBy === null || !ended('deletion-refused').has(heldBy), 'none held by a refused deletion')
      }
      // Each row is owed to one saga: made once more than undone or erased.
      const count = (effect: string) =>
        decisions.filter((decision) => decision && 'effect' in decision && decision.effect === effect).length
      assert.equal(count('create') - count('undo') - count('erase'), after.byUser.size)
    }),
    { numRuns: 2_000 },
  )
})

test('an event of the user service is an occurrence; one without a saga, or of another kind, is not', () => {
  const data = { userId: 'u' }
  for (const what of HAPPENINGS)
    assert.deepEqual(occurrence({ type: `user.${what}`, sagaId: 's', data }), { userId: 'u', sagaId: 's', what })
  assert.throws(() => occurrence({ type: 'user.deleted', data }), /user\.deleted is no step/)
  assert.throws(() => occurrence({ type: 'user.registered', sagaId: 's', data }), TypeError)
  assert.throws(() => occurrence({ type: 'chat.deleted', sagaId: 's', data }), TypeError)
})
