import assert from 'node:assert/strict'
import test from 'node:test'
import { testDatabase } from '../../../test/support/postgres.ts'
import { appendToStreams, createStreamSource, type Database, migrate, type StreamSource, transaction, type Tx } from '../src/index.ts'
import { range } from './stream-server.ts'
import { until } from './until.ts'

const prepare = (db: Database): Promise<void> => migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) })
const open = (t: test.TestContext) => testDatabase(t, { migrate: prepare, template: 'streams' })

const note = (stream: string, data: unknown = {}) => ({ stream, type: 'note', data })
const append = (db: Database, ...streams: string[]) => transaction(db, (tx) => appendToStreams(tx, streams.map((stream) => note(stream))))
const seqsOf = async (source: StreamSource, stream: string, after = 0): Promise<number[]> =>
  (await source.page(stream, after, 100_000)).map(({ seq }) => seq)

/** A transaction that waits with its commit; resolves when `work` is done. */
async function begin(db: Database, work: (tx: Tx) => Promise<unknown>): Promise<{ commit(): Promise<void>; rollBack(): Promise<void> }> {
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
  const decide = (commit: boolean): Promise<void> => {
    decided.resolve(commit)
    return done
  }
  return { commit: () => decide(true), rollBack: () => decide(false) }
}

const isWaiting = async (db: Database): Promise<boolean> =>
  (await db.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length > 0

test('each stream counts its events from 1, whatever else is in the transaction', async (t) => {
  const db = await open(t)
  const source = await createStreamSource(db)
  assert.match(source.epoch, /^[0-9a-z]{1,32}$/)
  const data = [{ body: '안녕 "🌱"\n\u0000\u2028' }, null, undefined, [1]]
  const placed = await transaction(db, (tx) => appendToStreams(tx, ['b', 'a', 'b', 'b'].map((stream, i) => note(stream, data[i]))))
  assert.deepEqual(
    placed.map(({ stream, event }) => [stream, event.seq, event.data]),
    [
      ['b', 1, JSON.stringify(data[0])],
      ['a', 1, 'null'],
      ['b', 2, 'null'],
      ['b', 3, '[1]'],
    ],
  )
  assert.deepEqual(await append(db), [])
  await append(db, 'a', 'b')
  assert.deepEqual(await source.page('b', 0, 3), placed.filter(({ stream }) => stream === 'b').map(({ event }) => event))
  assert.deepEqual([await seqsOf(source, 'a'), await seqsOf(source, 'b', 2), await seqsOf(source, 'c')], [[1, 2], [3, 4], []])
  await db.query(`update saga.stream_head set min_seq = 3 where stream = 'b'`)
  assert.deepEqual(
    await source.heads(['a', 'b', 'c']),
    new Map([
      ['a', { seq: 2, min: 1, ended: false }],
      ['b', { seq: 4, min: 3, ended: false }],
      ['c', { seq: 0, min: 1, ended: false }],
    ]),
  )
})

test('a type that could not be sent is refused, and nothing is written', async (t) => {
  const db = await open(t)
  const source = await createStreamSource(db)
  for (const type of ['', 'a\nb', 'a\rb', 'a\0b']) {
    const both = [note('a'), { stream: 'a', type, data: {} }]
    await assert.rejects(transaction(db, (tx) => appendToStreams(tx, both)), RangeError)
  }
  assert.equal((await source.heads(['a'])).get('a')!.seq, 0)
})

test('a roll-back leaves no hole', async (t) => {
  const db = await open(t)
  const source = await createStreamSource(db)
  await append(db, 'a')
  await (await begin(db, (tx) => appendToStreams(tx, [note('a'), note('a')]))).rollBack()
  await append(db, 'a')
  assert.deepEqual(await seqsOf(source, 'a'), [1, 2])
})

test('who reads by a cursor skips nothing, in whatever order transactions want to commit', async (t) => {
  const db = await open(t)
  const source = await createStreamSource(db)
  const first = await begin(db, (tx) => appendToStreams(tx, [note('a')]))
  const second = append(db, 'a')
  await until('the second waits for the first', () => isWaiting(db))
  assert.deepEqual(await seqsOf(source, 'a'), [])
  await append(db, 'b')
  await first.commit()
  await second
  assert.deepEqual(await seqsOf(source, 'a'), [1, 2])

  // The same with a sequence, which is what a cursor must not be: the proof that this could fail.
  await db.query('create table naive (seq bigint generated always as identity, stream text)')
  const insert = (tx: Tx): Promise<unknown> => tx.query(`insert into naive (stream) values ('a')`)
  const naive = async (after: number): Promise<number[]> =>
    (await db.query<{ seq: number }>('select seq from naive where seq > $1 order by seq', [after])).map(({ seq }) => seq)
  const slow = await begin(db, insert)
  await transaction(db, insert)
  assert.deepEqual(await naive(0), [2])
  await slow.commit()
  assert.deepEqual(await naive(2), [], 'the first is never seen')
})

test('many writers, some rolling back, and a reader that follows by its cursor', async (t) => {
  const db = await open(t)
  const source = await createStreamSource(db)
  const streams = ['a', 'b', 'c']
  const read = new Map(streams.map((stream) => [stream, [] as number[]]))
  let isWriting = true
  const follow = async (stream: string): Promise<void> => {
    const seen = read.get(stream)!
    for (let last = false; !last;) {
      last = !isWriting
      seen.push(...(await seqsOf(source, stream, seen.at(-1) ?? 0)))
    }
  }
  const followers = streams.map(follow)
  await Promise.all(
    range(1, 4).map(async (writer) => {
      for (let i = 0; i < 60; i++) {
        // In any order: were the heads not locked in one, this would deadlock.
        const some = streams.toSorted(() => Math.random() - 0.5).slice(0, 1 + (i % 3))
        const end = await begin(db, (tx) => appendToStreams(tx, some.map((stream) => note(stream))))
        await (i % 5 === writer ? end.rollBack() : end.commit())
      }
    }),
  )
  isWriting = false
  await Promise.all(followers)
  for (const stream of streams) {
    const { seq } = (await source.heads([stream])).get(stream)!
    assert.ok(seq > 100)
    assert.deepEqual(read.get(stream), range(1, seq))
  }
})
