import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { each, on, type Received, SagaError, type Tx } from '../src/index.ts'
import { envelopeOf } from '../src/event.ts'
import { append } from '../src/outbox.ts'
import { type Reaction, reactionTable, rounds, runReaction } from '../src/reaction.ts'
import { changed, changedV2, counted, moved, noted, type Version } from './stock.ts'

const fakeTx = (): Tx => ({
  outbox: [],
  query: async () => [],
  send: () => {},
  beforeCommit: () => {},
  afterCommit: () => {},
})
const received = (version: number, key = 'fern'): Received<'stock.changed', Version> => ({
  ...(envelopeOf(changed({ key, version }), 0) as Received<'stock.changed', Version>),
  topic: 'stock',
  partition: 0,
  offset: version,
  tries: 1,
})
const codeIs = (code: string) => (error: unknown) => error instanceof SagaError && error.code === code

test('one key with one reaction is one round', () => {
  const events = [1, 2, 3].map((n) => ({ key: 'a', n }))
  assert.deepEqual(
    rounds(events, () => 'r'),
    [['r', events]],
  )
})

test('a key that changes its reaction starts a round; others ride along in the first', () => {
  const event = (key: string, reaction: string) => ({ key, reaction })
  const grouped = rounds(
    [event('a', 'x'), event('b', 'y'), event('a', 'y'), event('b', 'y'), event('a', 'x'), event('c', 'x')],
    ({ reaction }) => reaction,
  )
  assert.deepEqual(
    grouped.map(([reaction, events]) => [reaction, events.map(({ key }) => key).join('')]),
    [
      ['x', 'ac'],
      ['y', 'bb'],
      ['y', 'a'],
      ['x', 'a'],
    ],
  )
})

test('whatever the batch: nothing is lost, each key stays in order, and no key takes more rounds than it must', () => {
  const batch = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), reaction: fc.constantFrom('x', 'y', 'z') }), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(batch, (list) => {
      const events = list.map((event, n) => ({ ...event, n }))
      const grouped = rounds(events, ({ reaction }) => reaction)
      for (const [reaction, group] of grouped) assert.ok(group.every((event) => event.reaction === reaction))
      const run = grouped.flatMap(([, group]) => group)
      assert.equal(run.length, events.length)
      for (const key of ['a', 'b', 'c']) {
        const mine = (all: typeof events): number[] => all.filter((event) => event.key === key).map(({ n }) => n)
        assert.deepEqual(mine(run), mine(events))
      }
      const most = ['a', 'b', 'c'].map((key) => {
        const mine = events.filter((event) => event.key === key)
        return mine.filter((event, i) => event.reaction !== mine[i - 1]?.reaction).length
      })
      assert.ok(grouped.length <= 3 * Math.max(0, ...most))
    }),
  )
})

test('the table knows each version of each type', () => {
  const old = on([changed, counted], async () => {})
  const fresh = on([changedV2], async () => {})
  const table = reactionTable([old, fresh])
  assert.deepEqual(
    [...table].map(([name, { reaction }]) => [name, reaction]),
    [
      ['stock.changed@1', old],
      ['stock.counted@1', old],
      ['stock.changed@2', fresh],
    ],
  )
})

test('two reactions to one kind are refused', () => {
  const react = async (): Promise<void> => {}
  assert.throws(() => reactionTable([on([changed, counted], react), on([changed], react)]), codeIs('SAGA_DEFINITION'))
})

test('a reaction may append what it declares, and nothing else', async () => {
  const tx = fakeTx()
  const answering = (emits: Reaction['emits']): Reaction =>
    on([changed], async (events, tx) => events.forEach((event) => append(tx, noted(event.data), { causedBy: event })), {
      emits,
    })
  await runReaction(answering([moved, noted]), [received(1), received(2)], tx)
  assert.deepEqual(
    tx.outbox.map(({ type, key }) => [type, key]),
    [
      ['stock.noted', 'fern'],
      ['stock.noted', 'fern'],
    ],
  )
  await assert.rejects(runReaction(answering([moved]), [received(3)], tx), codeIs('SAGA_EVENT_UNDECLARED'))
})

test('what another reaction appended before is not this one’s to declare', async () => {
  const tx = fakeTx()
  append(tx, noted({ key: 'fern', version: 1 }))
  await runReaction(
    on([changed], async () => {}),
    [received(1)],
    tx,
  )
})

test('each() hands over one event after the other', async () => {
  const steps: string[] = []
  const reaction = on(
    [changed],
    each(async (event) => {
      steps.push(`begin ${event.data.version}`)
      await Promise.resolve()
      steps.push(`end ${event.data.version}`)
    }),
  )
  await runReaction(reaction, [received(1), received(2)], fakeTx())
  assert.deepEqual(steps, ['begin 1', 'end 1', 'begin 2', 'end 2'])
})
