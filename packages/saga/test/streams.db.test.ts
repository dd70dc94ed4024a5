import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test, { after } from 'node:test'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  appendToStreams,
  closedAmong,
  createHub,
  createMemoryLog,
  createMemoryTransport,
  createStreams,
  createStreamSource,
  migrate,
  type NewStreamEvent,
  purgeStreams,
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

test('a closed stream takes nothing, exists for nobody, and its events go with the purge', async () => {
  const [gone, other, never] = [randomUUID(), randomUUID(), randomUUID()]
  await append([note(gone), note(other), note(gone)])
  const last = await transaction(db, (tx) => appendToStreams(tx, [note(gone)], [gone, never]))
  assert.deepEqual(
    last.map(({ event }) => event.seq),
    [3],
    'what is appended with it comes before',
  )
  const placed = await append([note(other), note(gone), note(never)])
  assert.deepEqual(
    placed.map(({ stream, event }) => [stream, event.seq]),
    [[other, 2]],
  )
  assert.deepEqual(await closedAmong(db, [gone, other, never]), new Set([gone, never]))
  const heads = await source.heads([gone, other, never])
  assert.deepEqual([...heads], [[other, { seq: 2, min: 1, ended: false }]])
  await purgeStreams(db, { events: 7, closed: 30 })
  assert.deepEqual(await seqsOf(gone), [])
  assert.deepEqual(await seqsOf(other), [1, 2])
  assert.deepEqual(await closedAmong(db, [gone]), new Set([gone]), 'a late event still finds it closed')
  await db.query(`update saga.stream_head set closed_at = now() - interval '31 days' where stream = $1`, [gone])
  await purgeStreams(db, { events: 7, closed: 30 })
  assert.deepEqual(await closedAmong(db, [gone]), new Set())
})

test('what is older than it is kept goes, and the head tells from where on there is something', async () => {
  const [old, fresh] = [randomUUID(), randomUUID()]
  await append([...range(1, 5).map(() => note(old)), ...range(1, 3).map(() => note(fresh))])
  await db.query(
    `update saga.stream_event set created_at = now() - interval '8 days' where stream = $1 and seq <= 3 or stream = $2`,
    [old, fresh],
  )
  await purgeStreams(db, { events: 7, closed: 30 })
  assert.deepEqual(await seqsOf(old), [4, 5])
  assert.deepEqual(await seqsOf(fresh), [])
  assert.deepEqual(Object.fromEntries(await source.heads([old, fresh])), {
    [old]: { seq: 5, min: 4, ended: false },
    [fresh]: { seq: 3, min: 4, ended: false },
  })
  await append([note(fresh)])
  assert.deepEqual(await seqsOf(fresh), [4], 'the numbers go on')
})

test('what is locked tells nothing until the commit, and what was read meanwhile is still so then', async () => {
  const hub = createHub()
  const streams = createStreams({ db, hub, transport: createMemoryTransport() })
  await streams.start()
  const [known, fresh] = [randomUUID(), randomUUID()]
  await append([note(known), note(known)])
  assert.equal(await streams.cursorOf(db, known), `${source.epoch}-2`)
  assert.equal(await streams.cursorOf(db, fresh), `${source.epoch}-0`)
  const holder = await begin((tx) => {
    streams.lock(tx, [known, fresh, known])
    // The lock is sent, not waited for; what is read next comes behind it.
    return tx.query('select seq from saga.stream_event where stream = $1', [known])
  })
  const others = Promise.all([append([note(fresh)]), append([note(known)])])
  await until('both wait', async () => {
    const waiting = await db.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return waiting.length === 2
  })
  assert.deepEqual([await seqsOf(known), await seqsOf(fresh)], [[1, 2], []])
  await holder.commit()
  await others
  assert.deepEqual([await seqsOf(known), await seqsOf(fresh)], [[1, 2, 3], [1]])
  await streams.stop()
})

test('streams that are closed end when that is committed, with all that was told before', async () => {
  const hub = createHub()
  const streams = createStreams({ db, hub, transport: createMemoryTransport() })
  await streams.start()
  const [one, other] = [randomUUID(), randomUUID()]
  const told: unknown[] = []
  hub.wake = (stream, seq) => told.push([stream, seq])
  hub.close = (stream) => void told.push(stream)
  await assert.rejects(
    transaction(db, async (tx) => {
      streams.close(tx, [one])
      throw new Error('undone')
    }),
    /undone/,
  )
  await transaction(db, async (tx) => {
    streams.close(tx, [one])
    streams.append(tx, [note(one), note(other)])
  })
  assert.deepEqual(told, [[one, 1], [other, 1], one])
  assert.deepEqual(await closedAmong(db, [one, other]), new Set([one]))
  await streams.stop()
})

test('events of one transaction are written together and told to this process and the others', async (t) => {
  const log = createMemoryLog()
  const [hub, transport, elsewhere] = [
    createHub(),
    createMemoryTransport({ shared: log }),
    createMemoryTransport({ shared: log }),
  ]
  const streams = createStreams({ db, hub, transport })
  await streams.start()
  t.after(() => streams.stop())
  const [a, b] = [randomUUID(), randomUUID()]
  const woken: unknown[] = []
  t.mock.method(hub, 'wake', (stream: string, seq: number, event?: { data: string }) => {
    woken.push([stream, seq, event?.data])
    return 0
  })
  const heard: string[] = []
  elsewhere.onHint((text) => void heard.push(text))
  await transaction(db, async (tx) => {
    streams.append(tx, [{ stream: b, type: 'x', data: 1 }])
    streams.append(tx, [
      { stream: a, type: 'x', data: 2 },
      { stream: b, type: 'x', data: 3 },
    ])
    assert.throws(() => streams.append(tx, [{ stream: a, type: 'no\nline', data: 4 }]), RangeError)
  })
  assert.deepEqual(woken, [
    [b, 1, '1'],
    [a, 1, '2'],
    [b, 2, '3'],
  ])
  await until('it is heard elsewhere', () => heard.length > 0)
  assert.deepEqual(heard, [`wake ${b}:2 ${a}:1`])
  elsewhere.hint(`wake ${a}:7 ${b}:9`)
  await until('the others are heard', () => woken.length === 5)
  assert.deepEqual(woken.slice(3), [
    [a, 7, undefined],
    [b, 9, undefined],
  ])
})
