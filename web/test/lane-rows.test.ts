// What the operator's picture of a saga shows: its events in order, what led to what, and what had to be tried again.
import assert from 'node:assert/strict'
import test from 'node:test'
import { chainOf, laneRowsOf, linesOf } from '../src/admin/lane-rows.ts'
import type { HistoryEvent } from '../src/contract.ts'

/** An event of this type so many milliseconds after the start, made in this attempt to handle the one at `cause`. */
type Happened = [type: string, at: number, cause?: number, attempt?: number]

function sagaOf(happened: Happened[]): { history: HistoryEvent[] } {
  const timeOf = (at: number): string => new Date(Date.UTC(2026, 0, 1) + at).toISOString()
  const history = happened.map(([type, at, cause, attempt = 1], i): HistoryEvent => ({
    eventId: `event-${i}`,
    type,
    version: 1,
    service: type.slice(0, type.indexOf('.')),
    causationId: cause === undefined ? null : `event-${cause}`,
    recordedAt: timeOf(at),
    receivedAt: timeOf(at + 1),
    attempt,
    topic: 'topic',
    partition: 0,
    offset: i,
    data: {},
  }))
  return { history }
}

const FAILED: Happened[] = [
  ['user.deletion-started', 0],
  ['chat.member-suspended', 9, 0],
  ['customer.wallet-close-refused', 14, 0],
  ['user.deletion-refused', 17, 2],
  ['chat.member-restored', 24, 3],
  ['market.seller-withdrawn', 1_024, 0, 3],
  ['market.seller-restored', 1_031, 3],
]

test('a column for each service, in the order in which they come', () => {
  const { columns, rows } = laneRowsOf(sagaOf(FAILED))
  assert.deepEqual(columns, ['user', 'chat', 'customer', 'market'])
  assert.deepEqual(
    rows.map(({ column }) => column),
    [0, 1, 2, 0, 1, 3, 3],
  )
})

test('time begins with the first event, and more than a quarter of a second of quiet is told', () => {
  const { rows } = laneRowsOf(sagaOf(FAILED))
  assert.deepEqual(
    rows.map(({ at, quietBefore }) => [at, quietBefore]),
    [
      [0, undefined],
      [9, undefined],
      [14, undefined],
      [17, undefined],
      [24, undefined],
      [1_024, 1_000],
      [1_031, undefined],
    ],
  )
})

test('what refused is bad, what it led to was made to fail, and what is taken back looks so', () => {
  const { rows } = laneRowsOf(sagaOf(FAILED))
  assert.deepEqual(
    rows.map(({ look, kind }) => [look, kind]),
    [
      ['plain', 'caused'],
      ['plain', 'caused'],
      ['bad', 'caused'],
      ['bad', 'failed'],
      ['undo', 'undo'],
      ['plain', 'caused'],
      ['undo', 'undo'],
    ],
  )
})

test('a deadline that made it fail: what follows is taken back', () => {
  const { rows } = laneRowsOf(
    sagaOf([
      ['user.sign-up-started', 0],
      ['customer.wallet-opened', 5, 0],
      ['user.sign-up-failed', 30_000, 0],
      ['customer.wallet-closed', 30_004, 2],
    ]),
  )
  assert.deepEqual(
    rows.map(({ look, kind }) => [look, kind]),
    [
      ['plain', 'caused'],
      ['plain', 'caused'],
      ['bad', 'caused'],
      ['undo', 'undo'],
    ],
  )
})

test('attempts that failed have a box before the event that a later one made; the line goes through it', () => {
  const { rows } = laneRowsOf(sagaOf(FAILED))
  assert.deepEqual(
    rows.map(({ failed }) => failed),
    [0, 0, 0, 0, 0, 2, 0],
  )
  assert.deepEqual(
    linesOf(rows).map(({ from, to, kind }) => `${from} ${kind} ${to}`),
    [
      '0 caused 1',
      '0 caused 2',
      '2 failed 3',
      '3 undo 4',
      // Box 5 are the attempts, box 6 is the event; the one after it is box 7.
      '0 caused 5',
      '5 tried 6',
      '3 undo 7',
    ],
  )
})

test('what made a saga fail, or takes something back, says so also when it took several attempts', () => {
  const { rows } = laneRowsOf(
    sagaOf([
      ['user.deletion-started', 0],
      ['customer.wallet-close-refused', 5, 0, 2],
      ['user.deletion-refused', 9, 1, 2],
      ['chat.member-restored', 12, 2, 4],
    ]),
  )
  assert.deepEqual(
    linesOf(rows).map(({ from, to, kind }) => `${from} ${kind} ${to}`),
    ['0 caused 1', '1 tried 2', '2 failed 3', '3 tried 4', '4 undo 5', '5 tried 6'],
  )
})

test('an event whose cause is not shown has no line, and begins its own chain', () => {
  const { rows } = laneRowsOf(
    sagaOf([
      ['user.deletion-started', 0],
      ['chat.member-suspended', 9, 7],
      ['market.seller-withdrawn', 10, 0],
    ]),
  )
  assert.deepEqual(linesOf(rows), [{ from: 0, to: 2, kind: 'caused' }])
  assert.deepEqual(chainOf(rows, 1), [rows[1]])
  assert.deepEqual(chainOf(rows, 2), [rows[0], rows[2]])
})

test('a saga without events has no rows', () => {
  assert.deepEqual(laneRowsOf(sagaOf([])), { columns: [], rows: [] })
})
