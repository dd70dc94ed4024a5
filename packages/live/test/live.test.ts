import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { LiveServerOptions } from '../../../test/support/live-server.ts'
import { byFetch, createLive, type LiveOptions } from '../src/index.ts'
import { follow, startServer, until } from './follow.ts'

// A stream over many connections to a real hub. The clock runs fast while they wait for something; what takes minutes is in time.test.ts.

async function setUp(t: TestContext, options: Partial<LiveOptions> & LiveServerOptions = {}) {
  const server = await startServer(t, options)
  const client = follow(t, server, options)
  await client.loaded(1)
  let n = 0
  /** An event with a number that grows. */
  const append = (): string => server.append('notification.read', { unread: ++n })
  return { server, client, append }
}

const idsTo = (n: number, epoch = 'e0'): string[] => Array.from({ length: n }, (_, i) => `${epoch}-${i + 1}`)

test('events come in order, each once, with what they say; those without an id too', async (t) => {
  const { server, client, append } = await setUp(t)
  append()
  server.send('typing', { roomId: 'r', userId: 'u' })
  await client.got(append())
  assert.deepEqual(client.events, [
    { type: 'notification.read', data: { unread: 1 }, id: 'e0-1' },
    { type: 'typing', data: { roomId: 'r', userId: 'u' }, id: undefined },
    { type: 'notification.read', data: { unread: 2 }, id: 'e0-2' },
  ])
  assert.equal(client.live.lastEventId, 'e0-2')
  assert.deepEqual([client.states, client.loads, client.errors], [['connecting', 'open'], 1, []])
})

test('listeners hear their type, until they are taken away; one that throws harms no other', async (t) => {
  const { server, client, append } = await setUp(t)
  const thrown: unknown[] = []
  const catchIt = (error: unknown): void => void thrown.push(error)
  process.setUncaughtExceptionCaptureCallback(catchIt)
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  const heard: string[] = []
  const bad = new Error('a bad listener')
  client.live.on('notification.read', () => {
    throw bad
  })
  const off = client.live.on('notification.read', ({ data }) => heard.push(`read ${data.unread}`))
  client.live.on('room.deleted', ({ data }) => heard.push(`deleted ${data.reason}`))
  append()
  await client.got(server.append('room.deleted', { roomId: 'r', reason: 'left' }))
  off()
  await client.got(append())
  assert.deepEqual(heard, ['read 1', 'deleted left'])
  assert.deepEqual(thrown, [bad, bad])
})

test('a stream that the server ends goes on with the next event, and shows no trouble', async (t) => {
  const { server, client, append } = await setUp(t)
  await client.got(append())
  server.end()
  append()
  await client.got(append())
  assert.deepEqual(client.ids(), idsTo(3))
  assert.deepEqual(client.states, ['connecting', 'open', 'connecting', 'open'])
  assert.deepEqual([client.loads, client.errors], [1, []])
  assert.deepEqual(
    server.requests.map(({ id }) => id),
    [undefined, 'e0-1'],
  )
})

test('a connection that is reset in the middle of an event loses and repeats nothing', async (t) => {
  const { server, client, append } = await setUp(t)
  for (let i = 1; i <= 3; i++) {
    await client.got(append())
    server.cut()
    await until('the break', () => client.live.state === 'connecting')
    append()
    client.live.wake()
  }
  await client.got(append())
  assert.deepEqual(client.ids(), idsTo(7))
  assert.equal(client.loads, 1)
})

for (const trouble of [204, 400, 403, 429, 500, 502, 503, 'reset'] as const)
  test(`${trouble} is not the end`, async (t) => {
    const { server, client, append } = await setUp(t)
    await client.got(append())
    server.troubles.push(trouble, trouble)
    server.end()
    await until('both were met', () => server.troubles.length === 0)
    await client.loaded(trouble === 400 ? 2 : 1)
    await client.got(append())
    assert.deepEqual(client.ids(), idsTo(2))
    assert.deepEqual(client.states, ['connecting', 'open', 'connecting', 'offline', 'open'])
    assert.equal(client.errors.length, 2)
    // What does not understand the id is asked without it.
    assert.equal(client.loads, trouble === 400 ? 2 : 1)
  })

test('an answer that is no stream is none, whatever its status', async (t) => {
  const server = await startServer(t, {
    other: (_req, res) => res.setHeader('content-type', 'text/html').end('<p>Log in to this Wi-Fi'),
  })
  const client = follow(t, server, { url: `${server.url}/portal` })
  await until('offline', () => client.live.state === 'offline')
  assert.match(String(client.errors[0]), /answered with 200, which is no stream/)
})

test('when the session is over the app is asked, and asked again when that did not help', async (t) => {
  let token = 'old'
  let asked = 0
  const { server, client, append } = await setUp(t, {
    token: () => token,
    onUnauthenticated: async () => {
      asked++
      if (asked === 2) throw new Error('no network')
      token = `new ${asked}`
    },
  })
  await client.got(append())
  server.troubles.push(401)
  server.end()
  await until('asked', () => asked === 1)
  await client.got(append())
  // A session that was mended in time is no trouble.
  assert.deepEqual(client.states, ['connecting', 'open', 'connecting', 'open'])
  server.troubles.push(401, 401)
  server.end()
  await client.got(append())
  assert.deepEqual(client.ids(), idsTo(3))
  assert.equal(asked, 3)
  assert.deepEqual(
    server.requests.map((request) => request.token),
    ['old', 'old', 'new 1', 'new 1', 'new 1', 'new 3'],
  )
  assert.equal(client.loads, 1)
})

test('a token that cannot be had is tried again', async (t) => {
  let tries = 0
  const { client, append } = await setUp(t, {
    token() {
      if (++tries === 1) throw new Error('no token')
      return Promise.resolve('token')
    },
  })
  await client.got(append())
  assert.match(String(client.errors[0]), /no token/)
})

test('what the server cannot go on from is fetched anew, and events go on from there', async (t) => {
  const { server, client, append } = await setUp(t)
  await client.got(append())
  server.epoch = 'e1'
  server.end()
  await client.loaded(2)
  assert.equal(client.live.lastEventId, 'e1-1')
  await client.got(append())
  server.trim(3)
  assert.deepEqual(client.ids(), ['e0-1', 'e1-2'])
})

test('an event that comes twice, or late, is dropped; one that is missing means that the state is fetched anew', async (t) => {
  const { server, client } = await setUp(t)
  const read = (seq: number, epoch = 'e0') => ({ seq, type: 'notification.read', data: `{"unread":${seq}}`, epoch })
  // The hub itself sends none of these.
  const raw = (seq: number, epoch = 'e0'): void => {
    const { data } = read(seq)
    server.write(`id: ${epoch}-${seq}\nevent: notification.read\ndata: ${data}\n\n`)
  }
  for (const seq of [1, 2, 2, 1, 3]) raw(seq)
  await client.got('e0-3')
  assert.deepEqual(client.ids(), idsTo(3))
  assert.equal(client.loads, 1)
  for (const seq of [5, 6]) raw(seq)
  await client.got('e0-6')
  // What came after the hole is part of the state by now.
  assert.deepEqual([client.ids(), client.loads], [['e0-1', 'e0-2', 'e0-3', 'e0-6'], 2])
  raw(7, 'e9')
  raw(8, 'e9')
  await client.got('e9-8')
  assert.equal(client.loads, 3)
  server.write('id: e9-9\nevent: notification.read\ndata: {"half"\n\n')
  await client.loaded(4)
  assert.match(String(client.errors[0]), /JSON/)
  assert.equal(client.live.state, 'open')
})

test('a connection that brought no event is followed by one that fetches the state, unless the place is known', async (t) => {
  const { server, client, append } = await setUp(t)
  server.end()
  await client.loaded(2)
  assert.deepEqual(
    server.requests.map(({ id }) => id),
    [undefined, undefined],
  )
  const placed = follow(t, server, { position: async () => 'e0-0' })
  await placed.loaded(1)
  server.end()
  append()
  await placed.got('e0-1')
  assert.equal(placed.loads, 1)
})

test('where the place is known the state is fetched while the stream is being opened, and only then', async (t) => {
  const server = await startServer(t)
  const asked = Promise.withResolvers<string>()
  let open = (): void => {}
  const client = follow(t, server, {
    position: () => asked.promise,
    connect: (target, on) => byFetch(target, { ...on, open: () => void (open = on.open) }),
  })
  assert.equal(client.loads, 0)
  asked.resolve('e0-0')
  await until('a load', () => client.loads === 1)
  assert.deepEqual(client.states, ['connecting'])
  await until('the answer', () => server.hub.stats().open === 1)
  server.append('notification.read', { unread: 1 })
  await client.got('e0-1')
  open()
  assert.deepEqual([client.live.state, client.loads], ['open', 1])
})

test('stopped it is silent; started again it has missed nothing', async (t) => {
  const { server, client, append } = await setUp(t)
  await client.got(append())
  client.live.stop()
  client.live.stop()
  client.live.wake()
  await until('closed', () => server.hub.stats().open === 0)
  append()
  client.live.start()
  client.live.start()
  await client.got(append())
  assert.deepEqual(client.ids(), idsTo(3))
  assert.equal(server.requests.length, 2)
  {
    await using disposed = client.live
    assert.equal(disposed.state, 'open')
  }
  assert.equal(client.live.state, 'stopped')
})

test('stopped while state is being fetched, it fetches it anew when it is started again', async (t) => {
  const { server, client, append } = await setUp(t)
  await client.got(append())
  let fetches = 0
  const remove = client.live.load(() => (++fetches === 1 ? new Promise(() => {}) : undefined))
  append()
  await until('it waits', () => client.live.lastEventId === 'e0-2')
  client.live.stop()
  remove()
  client.live.start()
  await client.loaded(2)
  await client.got(append())
  assert.deepEqual(client.ids(), ['e0-1', 'e0-3'])
  assert.deepEqual([fetches, server.requests.at(-1)?.id], [1, undefined])
})

test('stopped from within, at any moment, it stays stopped', async (t) => {
  const server = await startServer(t)
  for (const at of ['connecting', 'open', 'load', 'event'] as const) {
    const live = createLive({
      url: `${server.url}/api/stream`,
      onState: (state) => void (state === at && live.stop()),
    })
    live.load(() => void (at === 'load' && live.stop()))
    live.on('*', () => live.stop())
    live.start()
    if (at === 'event') await until('open', () => live.state === 'open')
    if (at === 'event') server.append('notification.read', { unread: 0 })
    await until(`stopped at ${at}`, () => live.state === 'stopped')
    await until('closed', () => server.hub.stats().open === 0)
    assert.ok(server.requests.length <= 1)
    server.requests.length = 0
  }
})
