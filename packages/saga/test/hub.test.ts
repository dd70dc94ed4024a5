import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { EventStream } from '../../../test/support/client.ts'
import type { OpenOptions } from '../src/index.ts'
import { range, seqsOf, setUpHub } from './stream-server.ts'
import { until } from './until.ts'

// What a client gets. The clock does not move here: nothing below is healed by a look at the heads or ended by a rotation.

const setUp = (t: TestContext, options: Partial<OpenOptions> = {}) => setUpHub(t, { open: options })

const gets = (stream: EventStream, seqs: readonly number[]): Promise<unknown> =>
  stream
    .until(`${seqs.length} events`, () => seqsOf(stream).length >= seqs.length)
    .then(() => assert.deepEqual(seqsOf(stream), seqs))

test('the head and the first bytes come at once', async (t) => {
  const { server, source } = await setUp(t, { from: 'first', headers: { location: '/api/sagas/1' } })
  const held = Promise.withResolvers<void>()
  source.before = () => held.promise
  const stream = await server.open('/a')
  await stream.until('the first bytes', ({ comments }) => comments.length === 1)
  assert.equal(stream.status, 200)
  assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.equal(stream.headers['cache-control'], 'no-cache, no-transform')
  assert.equal(stream.headers['x-accel-buffering'], 'no')
  assert.equal(stream.headers['content-encoding'], undefined)
  assert.equal(stream.headers.location, '/api/sagas/1')
  assert.ok(stream.retry! >= 2_000 && stream.retry! <= 5_000, stream.text)
  assert.deepEqual(stream.events, [])
  held.resolve()
})

test('who starts now hears nothing before it is known where now is, and misses nothing from then on', async (t) => {
  const { server, source, publish } = await setUp(t)
  publish('a', 3)
  const held = Promise.withResolvers<void>()
  source.before = () => held.promise
  const opened = server.open('/a')
  await until('asked', () => source.asked.length > 0)
  publish('a', 1)
  assert.equal(server.responses[0]!.headersSent, false)
  held.resolve()
  const stream = await opened
  publish('a', 2)
  await gets(stream, [4, 5, 6])
})

test('clients are told different times to come back', async (t) => {
  const { server } = await setUp(t)
  const streams = await Promise.all(range(1, 20).map(() => server.open('/a')))
  for (const stream of streams) await stream.until('retry', ({ retry }) => retry !== undefined)
  assert.ok(new Set(streams.map(({ retry }) => retry)).size > 10)
})

test('an event carries its id, its type and its data in one line', async (t) => {
  const { server, source, hub, live } = await setUp(t)
  const stream = await server.open('/a')
  await live()
  const event = source.append('a', { type: 'message.created', data: JSON.stringify({ body: '안녕\n"🌱"\u2028' }) })
  hub.wake('a', 1, event)
  await gets(stream, [1])
  assert.deepEqual(stream.events, [{ event: 'message.created', id: 'e0-1', data: event.data }])
})

test('without a cursor a stream begins now', async (t) => {
  const { server, publish, live } = await setUp(t)
  publish('a', 3)
  const stream = await server.open('/a')
  await live()
  publish('a')
  await gets(stream, [4])
})

test('without a cursor a stream begins with its first event, when it is opened so', async (t) => {
  const { server, source, publish } = await setUp(t, { from: 'first' })
  publish('a', 3)
  await gets(await server.open('/a'), [1, 2, 3])
  source.trim('a', 3)
  await gets(await server.open('/a'), [3])
  await gets(await server.open('/a', 'e0-2'), [3])
})

test('from any cursor a client gets exactly what comes after it, over several pages, then what is new', async (t) => {
  const { server, publish, live } = await setUp(t)
  publish('a', 1203)
  for (const seq of [0, 1, 202, 203, 703, 1202, 1203]) {
    const stream = await server.open('/a', `e0-${seq}`)
    await gets(stream, range(seq + 1, 1203))
    stream.close()
    await live(0)
  }
  const last = await server.open('/a', 'e0-1201')
  await gets(last, [1202, 1203])
  publish('a', 2)
  await gets(last, [1202, 1203, 1204, 1205])
})

test('who is up to date is not read for', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  publish('a', 3)
  await server.open('/a', 'e0-3')
  await live()
  assert.deepEqual(source.asked, ['heads a'])
  publish('a', 2)
  await live()
  assert.deepEqual(source.asked, ['heads a'])
})

test('a crowd that comes back is placed in few questions', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  for (const n of range(1, 60)) publish(`${n}`, n)
  const held = Promise.withResolvers<void>()
  source.before = () => held.promise
  const streams = await Promise.all(range(1, 60).map((n) => server.open(`/${n}`, 'e0-0')))
  held.resolve()
  await live(60)
  for (const [i, stream] of streams.entries()) await gets(stream, range(1, i + 1))
  const questions = source.asked.filter((asked) => asked.startsWith('heads'))
  assert.ok(questions.length <= 9, questions.join('\n'))
})

test('what is committed while a client catches up is neither lost nor doubled', async (t) => {
  const { server, source, publish } = await setUp(t)
  publish('a', 2)
  // Each read sees the store as it was when it began, and events are committed before it is answered.
  let more = 6
  source.before = async () => {
    if (more-- > 0) publish('a')
  }
  const stream = await server.open('/a', 'e0-0')
  await gets(stream, range(1, 8))
})

test('wake-ups may be lost, doubled, reordered, late or early', async (t) => {
  const { server, source, hub, publish, live } = await setUp(t)
  const stream = await server.open('/a')
  await live()
  const [one, two, three, four] = range(1, 4).map(() => source.append('a'))
  hub.wake('a', 2, two)
  await gets(stream, [1, 2, 3, 4])
  for (const event of [four, one, three, three]) hub.wake('a', event!.seq, event)
  hub.wake('a', 3)
  hub.wake('a', Number.NaN)
  // Of something that is not there, and of a stream that nobody follows.
  hub.wake('a', 99)
  hub.wake('b', 1, one)
  await live()
  publish('a')
  await gets(stream, [1, 2, 3, 4, 5])
  hub.wake('a', 6)
  await live()
  source.append('a')
  hub.wake('a', 6)
  await gets(stream, [1, 2, 3, 4, 5, 6])
})

test('one stream for many clients, each from its own place', async (t) => {
  const { server, publish, live } = await setUp(t)
  publish('a', 10)
  const streams = await Promise.all(range(0, 10).map((seq) => server.open('/a', `e0-${seq}`)))
  await live(11)
  publish('a', 5)
  for (const [seq, stream] of streams.entries()) await gets(stream, range(seq + 1, 15))
})

test('streams do not hear of each other', async (t) => {
  const { server, hub, publish, live } = await setUp(t)
  const a = await server.open('/a')
  const b = await server.open('/b')
  await live(2)
  publish('b', 2)
  publish('a')
  hub.send('b', 'typing', { roomId: 1 })
  await b.until('typing', ({ events }) => events.length === 3)
  await gets(a, [1])
  assert.deepEqual(b.events[2], { event: 'typing', id: undefined, data: '{"roomId":1}' })
})

test('an id that cannot be served is answered with a reset, and the stream goes on from there', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  const bad = {
    'another epoch': 'e1-8',
    'too old': 'e0-3',
    oldest: 'e0-0',
    'from the future': 'e0-9',
    far: `e0-${'9'.repeat(16)}`,
  }
  for (const [why, id] of Object.entries(bad)) {
    publish(why, 8)
    source.trim(why, 5)
    const stream = await server.open(`/${encodeURIComponent(why)}`, id)
    await live()
    publish(why)
    await stream.until(why, ({ events }) => events.length === 2)
    assert.deepEqual(stream.events[0], { event: 'reset', id: 'e0-8', data: '{"cursor":"e0-8"}' })
    assert.equal(stream.events[1]!.id, 'e0-9')
    stream.close()
    await live(0)
  }
})

test('after the epoch has changed, ids carry the new one and the old ones are reset', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  publish('a', 2)
  const before = await server.open('/a', 'e0-1')
  await gets(before, [2])
  before.close()
  await live(0)
  source.epoch = 'e1'
  const after = await server.open('/a', before.events[0]!.id)
  await live()
  publish('a')
  await after.until('two events', ({ events }) => events.length === 2)
  assert.deepEqual(
    after.events.map(({ event, id }) => [event, id]),
    [
      ['reset', 'e1-2'],
      ['note', 'e1-3'],
    ],
  )
})

test('what is just old enough, or just new enough, is served', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  publish('a', 8)
  source.trim('a', 5)
  for (const [id, seqs] of [
    ['e0-4', [5, 6, 7, 8]],
    ['e0-8', []],
  ] as const) {
    const stream = await server.open('/a', id)
    await live()
    await gets(stream, seqs)
    stream.close()
    await live(0)
  }
  source.trim('a', 9)
  const kept = await server.open('/a', 'e0-8')
  await live()
  publish('a')
  await gets(kept, [9])
})

test('what is dropped while a client catches up is a reset, not a hole', async (t) => {
  const { server, source, publish, live } = await setUp(t)
  publish('a', 600)
  let pages = 0
  source.before = (asked) => {
    if (asked === 'page' && ++pages === 1) source.trim('a', 550)
  }
  const stream = await server.open('/a', 'e0-0')
  await stream.until('reset', ({ events }) => events.some(({ event }) => event === 'reset'))
  await live()
  publish('a')
  await gets(stream, [...range(1, 500), 601])
  assert.equal(stream.events[500]!.id, 'e0-600')
})

test('a stream that has ended is ended after its last event', async (t) => {
  const { server, source, hub, live } = await setUp(t, { from: 'first' })
  source.append('a')
  const early = await server.open('/a')
  await live()
  hub.wake('a', 2, source.append('a', { last: true }))
  await early.ended()
  assert.deepEqual(seqsOf(early), [1, 2])
  for (const [id, seqs] of [
    [undefined, [1, 2]],
    ['e0-1', [2]],
    ['e0-2', []],
  ] as const) {
    const late = await server.open('/a', id)
    await late.ended()
    assert.deepEqual(seqsOf(late), seqs)
  }
  const lost = await server.open('/a', 'e0-7')
  await lost.ended()
  assert.deepEqual(
    lost.events.map(({ event, id }) => [event, id]),
    [['reset', 'e0-2']],
  )
})

test('a stream that does not exist ends at once and tells nothing', async (t) => {
  const { server, source, errors } = await setUp(t)
  source.remove('a')
  const stream = await server.open('/a', 'e0-1')
  await stream.ended()
  assert.deepEqual([stream.events, errors], [[], []])
})

test('what is known is written without a look at the store', async (t) => {
  const known = [{ seq: 1, type: 'saga', data: '{"version":1}' }]
  const { server, source, hub, publish } = await setUp(t, { known })
  source.append('a', known[0])
  const stream = await server.open('/a')
  publish('a')
  await gets(stream, [1, 2])
  assert.deepEqual(source.asked, [])
  source.append('a')
  hub.wake('a', 4, source.append('a'))
  await gets(stream, [1, 2, 3, 4])
  assert.deepEqual(source.asked, ['page a 2'])
})

test('what is known may be all there is', async (t) => {
  const { server, hub } = await setUp(t, {
    known: [
      { seq: 1, type: 'saga', data: '{}' },
      { seq: 2, type: 'saga', data: '{}', last: true },
    ],
  })
  const stream = await server.open('/a')
  await stream.ended()
  assert.deepEqual(seqsOf(stream), [1, 2])
  await until('forgotten', () => hub.stats().open === 0)
})

test('a store that fails ends the stream, and the client goes on from its cursor', async (t) => {
  for (const part of ['heads', 'page']) {
    await t.test(part, async (t) => {
      const { server, source, hub, errors, publish } = await setUp(t)
      publish('a', 3)
      source.before = (asked) => {
        if (asked === part) throw new Error('the database is away')
      }
      const cut = await server.open('/a', 'e0-1')
      await cut.ended()
      assert.deepEqual([cut.events, errors.map(({ message }) => message)], [[], ['the database is away']])
      source.before = () => {}
      const again = await server.open('/a', 'e0-1')
      await gets(again, [2, 3])
      await until('nothing left of the first', () => hub.stats().open === 1)
    })
  }
})

test('an event that cannot be sent harms nobody else', async (t) => {
  const { server, hub, source, errors, publish, live } = await setUp(t)
  const a = await server.open('/a')
  const b = await server.open('/b')
  await live(2)
  hub.wake('a', 1, source.append('a', { type: 'no\nte' }))
  publish('b')
  await gets(b, [1])
  assert.match(errors[0]!.message, /line break/)
  assert.throws(() => hub.send('b', 'a\r\nb', {}), RangeError)
  assert.deepEqual(a.events, [])
})
