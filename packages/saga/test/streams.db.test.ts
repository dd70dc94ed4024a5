import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test, { after } from 'node:test'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  appendToStreams,
  createStreamSource,
  migrate,
  type NewStreamEvent,
  type StreamedEvent,
  transaction,
  type Tx,
} from '../src/index.ts'
import { range } from './stream-server.ts'
import { until } from './until.ts'

const db = await testDatabase(
  { after },
  {
    template: 'streams',
    migrate: (empty) => migrate(empty, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) }),
  },
)
const source = await createStreamSource(db)

const note = (stream: string): NewStreamEvent => ({ stream, type: 'note', data: {} })
const append = (events: readonly NewStreamEvent[]): Promise<StreamedEvent[]> =>
  transaction(db, (tx) => appendToStreams(tx, events))
const seqsOf = async (stream: string, from = 0): Promise<number[]> =>
  (await source.page(stream, from, 100_000)).map(({ seq }) => seq)

/** A transaction that has done its work and waits for its end. */
async function begin(
  work: (tx: Tx) => Promise<unknown>,
): Promise<{ commit(): Promise<void>; rollBack(): Promise<void> }> {
  const ready = Promise.withResolvers<void>()
  const decided = Promise.withResolvers<boolean>()
  const undone = new Error('rolled back')
  const done = transaction(db, async (tx) => {
    await work(tx)
    ready.resolve()
    if (!(await decided.promise)) throw undone
  }).catch((thrown: unknown) => {
    if (thrown !== undone) throw thrown
  })
  await Promise.race([ready.promise, done])
  const end = (commit: boolean): Promise<void> => {
    decided.resolve(commit)
    return done
  }
  return { commit: () => end(true), rollBack: () => end(false) }
}

test('each stream counts its events from 1, whatever else is in the transaction', async () => {
  const [a, b, none] = [randomUUID(), randomUUID(), randomUUID()] as const
  assert.match(source.epoch, /^[0-9a-z]{1,32}$/)
  const text = { body: '안녕 "🌱"\n\u0000\u2028\ud800' }
  const placed = await append([
    { stream: b, type: 'x', data: text },
    { stream: a, type: 'y', data: null },
    { stream: b, type: 'z', data: undefined },
  ])
  assert.deepEqual(placed, [
    { stream: b, event: { seq: 1, type: 'x', data: JSON.stringify(text) } },
    { stream: a, event: { seq: 1, type: 'y', data: 'null' } },
    { stream: b, event: { seq: 2, type: 'z', data: 'null' } },
  ])
  assert.deepEqual(await append([]), [])
  await append([note(a), note(b), note(b)])
  assert.deepEqual(await source.page(b, 0, 2), [placed[0]!.event, placed[2]!.event])
  assert.deepEqual([await seqsOf(a), await seqsOf(b, 2), await seqsOf(none)], [[1, 2], [3, 4], []])
  await db.query('update saga.stream_head set min_seq = 3 where stream = $1', [b])
  assert.deepEqual(
    await source.heads([a, b, none]),
    new Map([
      [a, { seq: 2, min: 1, ended: false }],
      [b, { seq: 4, min: 3, ended: false }],
      [none, { seq: 0, min: 1, ended: false }],
    ]),
  )
})

test('a type that could not be sent is refused, and nothing is written', async () => {
  const stream = randomUUID()
  for (const type of ['', 'a\nb', 'a\rb', 'a\0b'])
    await assert.rejects(append([note(stream), { stream, type, data: {} }]), RangeError)
  assert.deepEqual(await seqsOf(stream), [])
})

test('a roll-back leaves no hole', async () => {
  const stream = randomUUID()
  await append([note(stream)])
  const undone = await begin((tx) => appendToStreams(tx, [note(stream), note(stream)]))
  await undone.rollBack()
  await append([note(stream)])
  assert.deepEqual(await seqsOf(stream), [1, 2])
})

test('who reads by a cursor skips nothing, in whatever order transactions would commit', async () => {
  const stream = randomUUID()
  const first = await begin((tx) => appendToStreams(tx, [note(stream)]))
  const second = append([note(stream)])
  await until('the second waits for the first', async () => {
    const waiting = await db.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return waiting.length === 1
  })
  assert.deepEqual(await seqsOf(stream), [])
  await append([note(randomUUID())])
  await first.commit()
  await second
  assert.deepEqual(await seqsOf(stream), [1, 2])
})

test('a sequence would skip: the test above can fail', async () => {
  await db.query('create table naive (seq bigint generated always as identity)')
  const insert = (tx: Tx): Promise<unknown> => tx.query('insert into naive default values')
  const first = await begin(insert)
  await transaction(db, insert)
  assert.deepEqual(await db.query('select seq from naive where seq > 0'), [{ seq: 2 }])
  await first.commit()
  assert.deepEqual(await db.query('select seq from naive where seq > 2'), [])
})

test('many writers, some of which roll back, and readers that follow by their cursors', async () => {
  const streams = [randomUUID(), randomUUID(), randomUUID()]
  let isWriting = true
  const follow = async (stream: string): Promise<number[]> => {
    const seen: number[] = []
    for (let isLast = false; !isLast;) {
      isLast = !isWriting
      seen.push(...(await seqsOf(stream, seen.at(-1))))
    }
    return seen
  }
  const followers = streams.map(follow)
  await Promise.all(
    range(1, 4).map(async (writer) => {
      for (const n of range(1, 50)) {
        // In any order: were the heads not locked in one, this would deadlock.
        const some = streams.toSorted(() => Math.random() - 0.5).slice(0, 1 + (n % 3))
        const work = await begin((tx) => appendToStreams(tx, some.map(note)))
        await (n % 5 === writer ? work.rollBack() : work.commit())
      }
    }),
  )
  isWriting = false
  for (const [i, stream] of streams.entries()) {
    const { seq } = (await source.heads([stream])).get(stream)!
    assert.ok(seq > 50)
    assert.deepEqual(await followers[i], range(1, seq))
  }
})
