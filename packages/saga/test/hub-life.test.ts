import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import test, { type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createHub, type Hub } from '../src/index.ts'
import { createMemorySource, opening, range, seqsOf, serve, setUpHub } from './stream-server.ts'
import { until } from './until.ts'

// How long a stream lives, how many there may be, and that nothing of it is left.

const NOTHING = { open: 0, catching: 0, lagging: 0, streams: 0, owners: 0, queued: 0, reading: 0 }
const leavesNothing = (hub: Hub): Promise<unknown> =>
  until('nothing is left', () =>
    Object.entries(NOTHING).every(([key, count]) => hub.stats()[key as keyof typeof NOTHING] === count),
  )

/** What is written to an answer from now on, with the seconds that `pass` has let go by. */
function watch(t: TestContext, res: ServerResponse, pass: (seconds: number) => void) {
  const write = t.mock.method(res, 'write')
  return (seconds: number): { second: number; text: string }[] => {
    const written: { second: number; text: string }[] = []
    for (const second of range(1, seconds)) {
      const before = write.mock.callCount()
      pass(1)
      for (const call of write.mock.calls.slice(before)) written.push({ second, text: String(call.arguments[0]) })
    }
    return written
  }
}

const widestGap = (seconds: readonly number[], end: number): number =>
  Math.max(...[0, ...seconds, end].map((second, i, all) => (i === 0 ? 0 : second - all[i - 1]!)))

test('a silent stream gets something every 15 s, and a heartbeat every 30 s', async (t) => {
  const { server, pass, live } = await setUpHub(t)
  const stream = await server.open('/a')
  await live()
  const written = watch(t, server.responses[0]!, pass)(300)
  const heartbeats = written.filter(({ text }) => text === 'event: hb\ndata: {}\n\n')
  const comments = written.filter(({ text }) => text.startsWith(':'))
  assert.equal(heartbeats.length + comments.length, written.length)
  assert.ok(
    widestGap(
      written.map(({ second }) => second),
      300,
    ) <= 16,
    JSON.stringify(written),
  )
  assert.ok(
    widestGap(
      heartbeats.map(({ second }) => second),
      300,
    ) <= 31,
    JSON.stringify(heartbeats),
  )
  assert.ok(written.length <= 21, 'no more than that')
  await stream.until('the heartbeats', ({ events }) => events.length === heartbeats.length)
  assert.ok(stream.events.every(({ id }) => id === undefined))
})

test('streams that opened together do not beat, or end, together', async (t) => {
  const { server, hub, pass, live } = await setUpHub(t)
  await Promise.all(range(1, 100).map((n) => server.open(`/${n}`)))
  await live(100)
  const before = hub.stats().written
  // In the fifteenth second one that began in the very first would do it again.
  const beats = range(1, 14).map(() => {
    const { written } = hub.stats()
    pass(1)
    return hub.stats().written - written
  })
  assert.equal(hub.stats().written - before, 100)
  assert.ok(Math.max(...beats) < 30, beats.join(' '))
  pass(8 * 60 - 15)
  assert.equal(hub.stats().streams, 100)
  const left = range(1, 4).map(() => {
    pass(60)
    return hub.stats().streams
  })
  pass(2)
  assert.equal(hub.stats().streams, 0)
  assert.ok(left[0]! < 100 && left[1]! < left[0]! && left[2]! < left[1]! && left[2]! > 0, left.join(' '))
  await leavesNothing(hub)
})

test('a stream ends when its token does', async (t) => {
  const { server, hub, pass } = await setUpHub(t, { open: { expiresAt: Date.now() + 90_000 } })
  const stream = await server.open('/a')
  pass(88)
  assert.equal(hub.stats().streams, 1)
  pass(3)
  await stream.ended()
  await leavesNothing(hub)
})

test('a lost wake-up is made up for within five seconds, for all streams in one question', async (t) => {
  const { server, source, hub, pass, live } = await setUpHub(t)
  const streams = await Promise.all(['a', 'b', 'c'].map((name) => server.open(`/${name}`)))
  await live(3)
  source.append('a')
  source.append('a')
  source.append('c')
  source.asked.length = 0
  pass(5)
  await until('the store was asked', () => source.asked.length > 0)
  await live(3)
  assert.deepEqual(source.asked, ['heads a b c', 'page a 0', 'page c 0'])
  await streams[2]!.until('one', ({ events }) => events.length === 1)
  await streams[0]!.until('two', ({ events }) => events.length === 2)
  assert.deepEqual(streams.map(seqsOf), [[1, 2], [], [1]])
  hub.wake('c', 1, { seq: 1, type: 'note', data: '{}' })
  assert.deepEqual(seqsOf(streams[2]!), [1])
})

test('a look at the heads that fails is followed by another, one that hangs is not', async (t) => {
  const { server, source, errors, pass, live } = await setUpHub(t)
  const stream = await server.open('/a')
  await live()
  source.append('a')
  source.before = () => {
    throw new Error('away')
  }
  pass(5)
  await until('an error', () => errors.length === 1)
  const held = Promise.withResolvers<void>()
  source.before = (asked) => (asked === 'heads' ? held.promise : undefined)
  pass(60)
  assert.equal(source.asked.filter((asked) => asked === 'heads a').length, 3)
  held.resolve()
  await stream.until('the event', () => seqsOf(stream).length === 1)
})

test('the seventh stream of one owner is told to come back later', async (t) => {
  const { server, hub, publish, live } = await setUpHub(t)
  const mine = await Promise.all(range(1, 6).map(() => server.open('/a?owner=me')))
  await live(6)
  const refused = await server.open('/a?owner=me')
  await refused.ended()
  assert.equal(refused.status, 200)
  assert.equal(refused.headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.ok(refused.retry! >= 30_000, refused.text)
  assert.deepEqual(refused.events, [{ event: 'busy', id: undefined, data: '{}' }])
  assert.deepEqual([hub.stats().open, hub.stats().owners], [6, 1])
  await Promise.all([server.open('/a?owner=you'), ...range(1, 8).map(() => server.open('/a'))])
  await live(15)
  mine[0]!.close()
  await live(14)
  const seventh = await server.open('/a?owner=me')
  await live(15)
  publish('a')
  await seventh.until('the event', () => seqsOf(seventh).length === 1)
})

test('a full hub tells clients to come back later, at different times', async (t) => {
  const { server, live } = await setUpHub(t, { maxStreams: 2 })
  await Promise.all([server.open('/a'), server.open('/b')])
  await live(2)
  const refused = await Promise.all(range(1, 5).map(() => server.open('/c')))
  for (const stream of refused) assert.equal((await stream.ended())[0]!.event, 'busy')
  assert.ok(new Set(refused.map(({ retry }) => retry)).size > 1)
  await live(2)
})

test('the streams of an owner, or of one session, are ended', async (t) => {
  const { server, hub, live } = await setUpHub(t)
  const [phone, tablet, laptop, other] = await Promise.all(
    ['me&session=1', 'me&session=1', 'me&session=2', 'you&session=1'].map((who) => server.open(`/a?owner=${who}`)),
  )
  await live(4)
  hub.end('nobody')
  hub.end('me', '1')
  await Promise.all([phone!.ended(), tablet!.ended()])
  await live(2)
  assert.equal(laptop!.hasEnded, false)
  hub.end('me')
  await laptop!.ended()
  await live(1)
  assert.equal(other!.hasEnded, false)
})

test('a hub that stops ends all streams, not all at once, and opens no more', async (t) => {
  const { server, hub, live } = await setUpHub(t)
  const streams = await Promise.all(range(1, 120).map((n) => server.open(`/${n}`)))
  await live(120)
  const stopped = hub.stop(50)
  assert.equal(hub.stats().streams, 70)
  assert.equal(hub.stop(), stopped)
  await stopped
  await Promise.all(streams.map((stream) => stream.ended()))
  await leavesNothing(hub)
  const late = await server.open('/a')
  await late.ended()
  // Elsewhere there is room: soon.
  assert.ok(late.status === 200 && late.retry! <= 5_000 && late.events.length === 0, late.text)
  await leavesNothing(hub)
})

test('a hub that stops waits for the reads under way', async (t) => {
  const { server, source, hub, errors } = await setUpHub(t)
  const held = Promise.withResolvers<void>()
  source.before = () => held.promise
  const stream = await server.open('/a', 'e0-0')
  let hasStopped = false
  const stopped = hub.stop().then(() => (hasStopped = true))
  await stream.ended()
  await until('closed', () => hub.stats().open === 0)
  assert.equal(hasStopped, false)
  held.resolve()
  await stopped
  assert.deepEqual(errors, [])
})

test('a client that leaves, whenever it does, leaves nothing', async (t) => {
  const phases = {
    'before it is known who it is': 'auth',
    'while the heads are read': 'heads',
    'while a page is read': 'page',
    live: '',
  }
  for (const [when, part] of Object.entries(phases)) {
    await t.test(when, async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] })
      const errors: Error[] = []
      const hub = createHub({ onError: (error) => errors.push(error) })
      const source = createMemorySource()
      source.append('a')
      const held = Promise.withResolvers<void>()
      let reached = ''
      const hold = (at: string): Promise<void> | undefined => {
        reached = at
        return at === part ? held.promise : undefined
      }
      source.before = hold
      let wasOpened = false
      const openNow = (...args: Parameters<ReturnType<typeof opening>>): void => {
        opening(hub, source)(...args)
        wasOpened = true
      }
      const server = await serve(t, (req, res) => {
        const waits = hold('auth')
        if (waits) void waits.then(() => openNow(req, res))
        else openNow(req, res)
      })
      const client = server.connect('/a?owner=me', 'last-event-id: e0-0\r\n')
      if (part) await until(part, () => reached === part)
      else await until('live', () => hub.stats().written > 0)
      client.destroy()
      await until('the server knows', () => server.responses[0]!.destroyed)
      await until('it is forgotten', () => hub.stats().open === 0)
      held.resolve()
      await until('the hub was asked', () => wasOpened)
      await leavesNothing(hub)
      hub.wake('a', 2, source.append('a'))
      hub.end('me')
      await hub.stop()
      assert.deepEqual(errors, [])
    })
  }
})

test('the clock runs only while a stream is open', async (t) => {
  const { server, hub, live } = await setUpHub(t)
  const started = t.mock.method(globalThis, 'setInterval')
  const ended = t.mock.method(globalThis, 'clearInterval')
  const running = (): number => started.mock.callCount() - ended.mock.callCount()
  for (let i = 0; i < 2; i++) {
    const streams = await Promise.all([server.open('/a'), server.open('/b')])
    await live(2)
    assert.equal(running(), 1)
    streams[0]!.close()
    await live(1)
    assert.equal(running(), 1)
    streams[1]!.close()
    await leavesNothing(hub)
    assert.equal(running(), 0)
  }
})

test('no answer is held after its client has gone', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { server, source, hub, publish } = await setUpHub(t)
  const turns = range(1, 100)
  const held = Promise.withResolvers<void>()
  source.before = () => (source.asked.length % 3 === 0 ? held.promise : undefined)
  publish('a', 3)
  await Promise.all(
    turns.map(async (n) => {
      const client = server.connect(`/a?owner=${n % 20}`, n % 2 === 0 ? 'last-event-id: e0-1\r\n' : '')
      if (n % 2 === 0) await once(client, 'data')
      else await until('it is open', () => server.responses.length >= turns.length)
      if (n % 5 !== 0) publish('a')
      client.destroy()
    }),
  )
  held.resolve()
  await leavesNothing(hub)
  const answers = server.responses.splice(0).map((res) => new WeakRef(res))
  assert.equal(answers.length, 100)
  // The last ones may be held by what node:http keeps of its newest sockets.
  await until('they are collected', () => {
    collect()
    return answers.filter((ref) => ref.deref()).length <= 2
  })
})

test('HEAD is answered with the headers alone', async (t) => {
  const { server, hub } = await setUpHub(t)
  const answer = await fetch(`http://127.0.0.1:${server.port}/a`, { method: 'HEAD' })
  assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(await answer.text(), '')
  await leavesNothing(hub)
})

test('a client that closes its half, or asks again on the same connection, is no special case', async (t) => {
  const { server, hub, publish } = await setUpHub(t)
  const half = server.connect('/a')
  half.end()
  await once(half.resume(), 'close')
  const twice = server.connect('/a')
  twice.write('GET /b HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await until('both are open', () => hub.stats().open === 2)
  publish('a')
  publish('b')
  twice.destroy()
  await leavesNothing(hub)
})

test('what is stored nowhere goes to the streams that are open, also while they catch up, and waits for none', async (t) => {
  const { server, source, hub, publish, live } = await setUpHub(t)
  publish('a')
  const held = Promise.withResolvers<void>()
  source.before = (asked) => (asked === 'page' ? held.promise : undefined)
  const early = await server.open('/a', 'e0-1')
  const behind = await server.open('/a', 'e0-0')
  await until('one is live', () => hub.stats().catching === 1)
  hub.send('a', 'typing', { userId: 'x' })
  held.resolve()
  await live(2)
  hub.send('a', 'typing', { userId: 'y' })
  await behind.until('typing', ({ events }) => events.length === 3)
  await early.until('typing', ({ events }) => events.length === 2)
  assert.deepEqual(
    behind.events.map(({ data }) => data),
    ['{"userId":"x"}', '{"n":1}', '{"userId":"y"}'],
  )
  assert.deepEqual(
    early.events.map(({ data }) => data),
    ['{"userId":"x"}', '{"userId":"y"}'],
  )
})

test('a live stream that does not exist any more is ended by a look at the heads, and no other', async (t) => {
  const { server, source, pass, live, hub } = await setUpHub(t)
  const [gone, other] = await Promise.all([server.open('/gone'), server.open('/other')])
  await live(2)
  source.remove('gone')
  pass(5)
  await gone.ended()
  await live(1)
  assert.equal(other.hasEnded, false)
  assert.equal(hub.stats().streams, 1)
})

test('a look that fails ends nothing', async (t) => {
  const { server, source, pass, live, errors } = await setUpHub(t)
  const stream = await server.open('/a')
  await live()
  source.before = () => Promise.reject(new Error('away'))
  pass(5)
  await until('it has failed', () => errors.length === 1)
  assert.equal(stream.hasEnded, false)
  await live()
})

test('it is told when a stream has its first client, and when it has none any more', async (t) => {
  const { server, source, live, hub } = await setUpHub(t, { maxPerOwner: 2 })
  const told: string[] = []
  const end = hub.onStream(source, (name, isOpen) => void told.push(`${name} ${isOpen}`))
  hub.onStream(createMemorySource(), (name) => void told.push(`${name} of another source`))
  const [first, second] = await Promise.all([server.open('/a?owner=me'), server.open('/a?owner=me')])
  await live(2)
  const third = await server.open('/b?owner=me')
  assert.deepEqual((await third.ended()).at(-1)?.event, 'busy')
  assert.deepEqual(told, ['a true'])
  first.close()
  await live(1)
  assert.deepEqual(told, ['a true'])
  // Ended by the server, then closed by the client: told once.
  hub.end('me')
  await second.ended()
  await leavesNothing(hub)
  assert.deepEqual(told, ['a true', 'a false'])
  const again = await server.open('/a')
  await live(1)
  end()
  again.close()
  await leavesNothing(hub)
  assert.deepEqual(told, ['a true', 'a false', 'a true'])
})
