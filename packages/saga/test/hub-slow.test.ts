import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createSseReader } from '../../../test/support/sse.ts'
import { range, seqsOf, setUpHub } from './stream-server.ts'
import { until } from './until.ts'

// Clients that read slowly, or not at all. A backlog is larger than what the system's own socket buffers take.

const BIG = JSON.stringify('x'.repeat(4096))
const BACKLOG = 4_000

async function setUp(t: TestContext) {
  const world = await setUpHub(t)
  const { source, hub } = world
  for (let i = 0; i < BACKLOG; i++) source.append('a', { data: BIG })
  return {
    ...world,
    /** A client of the whole backlog that does not read; resolves when nothing more is written to it. */
    async stall(path = '/a', lagging = 1): Promise<Socket> {
      const socket = world.server.connect(path, 'last-event-id: e0-0\r\n').pause()
      await until('it lags', () => hub.stats().lagging === lagging)
      return socket
    },
  }
}

/** The seqs of the whole events in what a socket has received. */
function seqsIn(text: string): number[] {
  const events: { id: string | undefined }[] = []
  createSseReader({ onEvent: (event) => events.push(event) })(text.slice(text.indexOf('\r\n\r\n') + 4))
  return events.map(({ id }) => Number(id?.split('-')[1]))
}

test('a client that never reads costs little, holds up nobody, and is closed after 30 s', async (t) => {
  const { server, source, hub, publish, pass, live } = await setUp(t)
  const healthy = await server.open('/a')
  await live()
  server.connect('/a', 'last-event-id: e0-0\r\n').pause()
  await until('it lags', () => hub.stats().lagging === 1)
  const res = server.responses[1]!
  const queued = res.writableLength
  const pages = (): number => source.asked.filter((asked) => asked.startsWith('page')).length
  const pagesBefore = pages()
  assert.ok(queued > 0 && queued <= 256 * 1024, `${queued} bytes`)
  assert.equal(hub.stats().buffered, queued)
  publish('a', 500)
  hub.send('a', 'typing', {})
  await healthy.until('all', () => seqsOf(healthy).length === 500)
  pass(29)
  assert.equal(res.writableLength, queued)
  assert.equal(pages(), pagesBefore)
  assert.deepEqual([hub.stats().open, res.destroyed], [2, false])
  pass(2)
  await live()
  assert.equal(res.destroyed, true)
  publish('a')
  await healthy.until('one more', () => seqsOf(healthy).length === 501)
})

test('a client that stops reading for a while gets all of it, once, in order', async (t) => {
  const { source, hub, publish, pass, stall, live } = await setUp(t)
  const socket = await stall()
  publish('a', 100)
  pass(20)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.resume()
  await live()
  publish('a', 3)
  const last = `id: e0-${BACKLOG + 103}\n`
  await until('the last event', () => text.endsWith('\n\n') && text.includes(last))
  assert.deepEqual(
    seqsIn(text).filter((seq) => seq > 0),
    range(1, BACKLOG + 103),
  )
  assert.ok(source.read < 3 * BACKLOG, 'what it does not take is not read again and again')
  // Had it not drained, it would be gone.
  pass(20)
  assert.equal(hub.stats().open, 1)
})

test('a client of 1 KB/s is closed, resumes, and gets all of it in the end', async (t) => {
  const { server, hub, pass } = await setUp(t)
  const seqs: number[] = []
  let stalls = 0
  while (seqs.length < BACKLOG) {
    const before = seqs.length
    const socket = server.connect('/a', `last-event-id: e0-${before}\r\n`)
    const read = createSseReader({ onEvent: ({ id }) => id !== undefined && seqs.push(Number(id.split('-')[1])) })
    let head = ''
    for await (const kilobyte of kilobytesOf(socket)) {
      const text = kilobyte.toString('latin1')
      if (head.includes('\r\n\r\n')) read(text)
      else read((head += text).split('\r\n\r\n')[1] ?? '')
      if (seqs.length === BACKLOG) break
      if (hub.stats().open === 0) continue
      pass(1)
      assert.ok(server.responses.at(-1)!.writableLength <= 256 * 1024)
      if (server.responses.at(-1)!.destroyed) stalls++
    }
    assert.ok(seqs.length > before, 'some more each time')
    await until('it is gone', () => hub.stats().open === 0)
  }
  assert.deepEqual(seqs, range(1, BACKLOG))
  assert.ok(stalls > 0)
})

/** What a socket receives, a kilobyte at a time; the next 64 are not read from it before these were taken. */
async function* kilobytesOf(socket: Socket): AsyncGenerator<Buffer> {
  for await (const chunk of socket as AsyncIterable<Buffer>)
    for (let at = 0; at < chunk.length; at += 1024) {
      await setImmediate()
      yield chunk.subarray(at, at + 1024)
    }
}

test('a stalled client that leaves leaves nothing', async (t) => {
  const { server, hub, publish, stall } = await setUp(t)
  const socket = await stall('/a?owner=me')
  socket.destroy()
  await until('nothing is left', () => hub.stats().open + hub.stats().owners + hub.stats().reading === 0)
  publish('a')
  assert.equal(server.responses[0]!.writableLength, 0)
})

test('a stream whose client does not read ends on time all the same, and is closed 30 s later', async (t) => {
  const { server, hub, pass, stall } = await setUp(t)
  await stall('/a?owner=me')
  hub.end('me')
  assert.deepEqual([hub.stats().streams, hub.stats().owners, hub.stats().open], [0, 0, 1])
  pass(29)
  assert.equal(server.responses[0]!.destroyed, false)
  pass(1)
  await until('closed', () => hub.stats().open === 0)
  assert.equal(server.responses[0]!.destroyed, true)
})

test('a client that is always behind does not outlive its token', async (t) => {
  const { source, hub, pass } = await setUpHub(t)
  source.append('a')
  const res = fakeResponse(false)
  hub.open(res, { source, stream: 'a', from: 'first', expiresAt: Date.now() + 60_000 })
  for (let i = 0; i < 59; i++) {
    await until('it lags', () => hub.stats().lagging === 1)
    pass(1)
    source.append('a')
    res.emit('drain')
  }
  await until('it lags', () => hub.stats().lagging === 1)
  pass(1)
  assert.deepEqual([hub.stats().streams, res.ended], [0, 1])
})

test('a hub that stops does not wait long for who does not read', async (t) => {
  const { hub, server, stall } = await setUp(t)
  await stall('/a')
  await stall('/a', 2)
  await hub.stop(0)
  assert.deepEqual([hub.stats().open, server.responses.every(({ destroyed }) => destroyed)], [0, true])
})

test('a client that drains while a page is being read gets that page once', async (t) => {
  const { source, hub, pass } = await setUpHub(t)
  for (let i = 0; i < 3; i++) source.append('a')
  const res = fakeResponse(true)
  const held = Promise.withResolvers<void>()
  source.before = (asked) => (asked === 'page' ? held.promise : undefined)
  hub.open(res, { source, stream: 'a', from: 'first' })
  await until('a page is being read', () => source.asked.includes('page a 0'))
  // A heartbeat is what fills its buffer.
  res.takes = false
  pass(15)
  assert.equal(hub.stats().lagging, 1)
  res.takes = true
  res.emit('drain')
  assert.equal(hub.stats().catching, 1)
  held.resolve()
  await until('live', () => hub.stats().catching === 0)
  assert.deepEqual(source.asked, ['heads a', 'page a 0'])
  assert.deepEqual(seqsOf({ events: res.events }), [1, 2, 3])
  assert.deepEqual([hub.stats().queued, hub.stats().reading], [0, 0])
})

/** An answer whose socket takes more, or not, as a test says. */
function fakeResponse(takes: boolean) {
  const events: Parameters<Parameters<typeof createSseReader>[0]['onEvent']>[0][] = []
  const read = createSseReader({ onEvent: (event) => events.push(event) })
  const fake = Object.assign(new EventEmitter(), {
    req: { method: 'GET' },
    takes,
    events,
    ended: 0,
    removeHeader() {},
    writeHead() {},
    write(bytes: Buffer): boolean {
      read(bytes.toString())
      return fake.takes
    },
    end(): void {
      fake.ended++
      fake.emit('close')
    },
  })
  return fake as unknown as ServerResponse & typeof fake
}
