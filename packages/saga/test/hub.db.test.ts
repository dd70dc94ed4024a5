import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { EventStream } from '../../../test/support/client.ts'
import { clusterUrl, testDatabase } from '../../../test/support/postgres.ts'
import type { ClientOrder, ClientReply } from '../../../test/support/sse-clients.ts'
import { createSseReader, type ServerEvent } from '../../../test/support/sse.ts'
import { appendToStreams, createDatabase, createHub, createStreamSource, type Database, migrate, type StreamedEvent, transaction } from '../src/index.ts'
import { opening, range, seqsOf, serve } from './stream-server.ts'
import { until } from './until.ts'

const prepare = (db: Database): Promise<void> => migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) })
const database = (t: TestContext) => testDatabase(t, { migrate: prepare, template: 'streams' })

/** A hub on the streams of a database, behind a server; without a cursor a client gets all. */
async function startHub(t: TestContext, db: Database) {
  const hub = createHub({ onError: (error) => assert.fail(error) })
  const server = await serve(t, opening(hub, await createStreamSource(db), { from: 'first' }))
  t.after(() => hub.stop(0))
  return { hub, server }
}

const publish = (db: Database, streams: readonly string[], wake: (events: readonly StreamedEvent[]) => void): Promise<unknown> =>
  transaction(db, async (tx) => {
    const events = await appendToStreams(tx, streams.map((stream) => ({ stream, type: 'note', data: { text: `안녕 ${stream}` } })))
    tx.afterCommit(() => wake(events))
  })

const STREAMS = 16
const EVENTS = 20
/** Of each stream at each cursor: 1,008 in all. */
const CLIENTS = 3

/**
 * Publishes to each stream, one event after the other, while clients open it at every cursor, each at a moment of its own; then lets
 * `settle` deliver what wake-ups are still under way. Every client must have got the rest, each event once, in order.
 */
async function openAtEveryCursor(
  db: Database,
  { hub, server }: Awaited<ReturnType<typeof startHub>>,
  wake: (events: readonly StreamedEvent[]) => void,
  settle: () => Promise<void> = async () => {},
): Promise<void> {
  const epoch = (await createStreamSource(db)).epoch
  const opened: { from: number; stream: Promise<EventStream> }[] = []
  const publishAll = async (name: string): Promise<void> => {
    const plan = range(0, EVENTS).flatMap((from) =>
      range(1, CLIENTS).map(() => ({ from, moment: from + Math.floor(Math.random() * (EVENTS - from)) })),
    )
    for (const seq of range(0, EVENTS)) {
      if (seq > 0) await publish(db, [name], wake)
      for (const { from } of plan.filter(({ moment }) => moment === seq))
        opened.push({ from, stream: server.open(`/${name}`, from === 0 ? undefined : `${epoch}-${from}`) })
    }
  }
  await Promise.all(range(1, STREAMS).map((n) => publishAll(`s${n}`)))
  await settle()
  assert.equal(opened.length, STREAMS * (EVENTS + 1) * CLIENTS)
  for (const { from, stream } of opened) await (await stream).until(`all from ${from}`, (each) => seqsOf(each).length >= EVENTS - from)
  // Once more to all, so that what came twice has come by now.
  await Promise.all(range(1, STREAMS).map((n) => publish(db, [`s${n}`], (events) => events.forEach(({ stream, event }) => hub.wake(stream, event.seq, event)))))
  for (const { from, stream } of opened) {
    const each = await stream
    await each.until('the last', () => seqsOf(each).at(-1) === EVENTS + 1)
    assert.deepEqual(seqsOf(each), range(from + 1, EVENTS + 1))
  }
}

test('at every cursor, opened while events are published, a client gets the rest, each once, in order', async (t) => {
  // The hub's clock does not run: what a wake-up has missed would stay missing.
  t.mock.timers.enable({ apis: ['setInterval'] })
  const db = await database(t)
  const world = await startHub(t, db)
  await openAtEveryCursor(db, world, (events) => events.forEach(({ stream, event }) => world.hub.wake(stream, event.seq, event)))
})

test('the same when wake-ups are lost, doubled, late, without the event and in any order', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() })
  const db = await database(t)
  const world = await startHub(t, db)
  const bus: StreamedEvent[] = []
  let lost = 0
  const wake = (events: readonly StreamedEvent[]): void => {
    for (const event of events) {
      const copies = Math.floor(Math.random() * 3)
      if (copies === 0) lost++
      for (let i = 0; i < copies; i++) bus.splice(Math.floor(Math.random() * (bus.length + 1)), 0, event)
    }
    for (const { stream, event } of bus.splice(0, Math.floor(Math.random() * 4)))
      world.hub.wake(stream, event.seq, Math.random() < 0.5 ? event : undefined)
  }
  await openAtEveryCursor(db, world, wake, async () => {
    await until('all opened', () => world.hub.stats().open === STREAMS * (EVENTS + 1) * CLIENTS && world.hub.stats().catching === 0)
    for (let i = 0; i < 5; i++) t.mock.timers.tick(1000)
  })
  assert.ok(lost > 50)
})

test('cut off at any byte, a client goes on at another hub, and has each event once', async (t) => {
  const db = await database(t)
  await publish(db, ['a', 'a', 'a'], () => {})
  const one = await startHub(t, db)
  const two = await startHub(t, db)
  const whole = await receive(one.server.connect('/a'), (text) => text.split('\n\n').length > 4)
  const head = whole.indexOf('\r\n\r\n') + 4
  await Promise.all(
    range(0, 7).map(async (worker) => {
      for (let bytes = head + worker; bytes <= whole.length; bytes += 8) {
        const relay = await cutAfter(t, one.server.port, bytes)
        const first = eventsIn(await receive(relay))
        const id = first.at(-1)?.id
        const rest = eventsIn(await receive(two.server.connect('/a', id === undefined ? '' : `last-event-id: ${id}\r\n`), (text) => text.includes('-3\n') && text.endsWith('\n\n') || id?.endsWith('-3') === true))
        assert.deepEqual([...first, ...rest].map((event) => [event.id?.split('-')[1], event.data]), ['1', '2', '3'].map((seq) => [seq, '{"text":"안녕 a"}']), `cut after ${bytes} bytes`)
      }
    }),
  )
  await until('nothing is left', () => one.hub.stats().open + two.hub.stats().open === 0)
})

/** What a socket receives until it is closed, or closed here because `enough`. */
async function receive(socket: Socket, enough: (text: string) => boolean = () => false): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (enough(Buffer.concat(chunks).toString())) socket.destroy()
  })
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

function eventsIn(answer: Buffer): ServerEvent[] {
  const events: ServerEvent[] = []
  createSseReader({ onEvent: (event) => events.push(event) })(answer.subarray(answer.indexOf('\r\n\r\n') + 4).toString())
  return events
}

/** A connection to a stream that is cut after so many bytes of the answer. */
async function cutAfter(t: TestContext, port: number, bytes: number): Promise<Socket> {
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.on('data', (chunk) => far.write(chunk))
    near.on('error', () => {})
    let left = bytes
    far.on('data', (chunk: Buffer) => {
      near.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left > 0) return
      far.destroy()
      near.end()
      relay.close()
    })
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  t.after(() => void relay.close())
  const socket = connect((relay.address() as { port: number }).port, '127.0.0.1')
  socket.write('GET /a HTTP/1.1\r\nhost: localhost\r\n\r\n')
  return socket
}

test('5,000 open streams need no more database connections than one', async (t) => {
  const count = 5_000
  const T0 = performance.now(); const lap = (w: string) => console.log(w, (performance.now() - T0).toFixed(0))
  const db = await database(t)
  const { hub, server } = await startHub(t, db)
  const publishToAll = async (): Promise<void> => {
    for (let i = 0; i < count; i += 500)
      await publish(db, range(i, i + 499).map(String), (events) => events.forEach(({ stream, event }) => hub.wake(stream, event.seq, event)))
  }
  await publishToAll()
  lap('pub')
  const before = await latencies(db)

  lap('lat')
  const connections = await countConnections(t, db)
  const clients = fork(new URL('../../../test/support/sse-clients.ts', import.meta.url))
  t.after(() => clients.disconnect())
  const ask = async (order: ClientOrder): Promise<ClientReply> => {
    clients.send(order)
    return ((await once(clients, 'message')) as [ClientReply])[0]
  }
  await ask({ do: 'open', port: server.port, count, shared: false })
  lap('open')
  await ask({ do: 'await', seq: 1 })
  await until('all are live', () => hub.stats().open === count && hub.stats().catching === 0)

  lap('live')
  const { total, idle, waiting } = db.stats()
  assert.deepEqual([idle, waiting], [total, 0], 'none is held')
  const during = await latencies(db)
  assert.ok(during < 3 * before + 5, `${before.toFixed(2)} ms before, ${during.toFixed(2)} ms with ${count} streams`)

  lap('lat')
  const live = ask({ do: 'await', seq: 2 })
  await publishToAll()
  assert.deepEqual(await live, { done: 'await', received: 2 * count, lost: 0, doubled: 0 })

  lap('2')
  await ask({ do: 'drop' })
  await until('all have left', () => hub.stats().open === 0)
  await publishToAll()
  lap('pub3')
  const storm = ask({ do: 'open', port: server.port, count, shared: false })
  const amid = await latencies(db, 50)
  await storm
  assert.deepEqual(await ask({ do: 'await', seq: 3 }), { done: 'await', received: 3 * count, lost: 0, doubled: 0 })
  lap('storm')
  t.diagnostic(`a query took ${before.toFixed(2)} ms before, ${during.toFixed(2)} ms with all open, ${amid.toFixed(2)} ms while all came back`)

  await ask({ do: 'drop' })
  await until('nothing is left', () => {
    const { written: _, ...counts } = hub.stats()
    return Object.values(counts).every((value) => value === 0)
  })
  assert.ok((await connections()) <= 5)
})

/** The median time of an ordinary query in milliseconds. */
async function latencies(db: Database, count = 200): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await db.query('select last_seq from saga.stream_head where stream = $1', [String(i)])
    times.push(performance.now() - from)
  }
  return times.toSorted((a, b) => a - b)[count >> 1]!
}

/** Counts the connections to a database until asked for the most there have been. */
async function countConnections(t: TestContext, db: Database): Promise<() => Promise<number>> {
  const [{ name } = { name: '' }] = await db.query<{ name: string }>('select current_database() as name')
  const admin = createDatabase({ connectionString: clusterUrl(), max: 1 })
  t.after(() => admin.close())
  let isOver = false
  const counting = (async () => {
    let most = 0
    while (!isOver) {
      const rows = await admin.query('select from pg_stat_activity where datname = $1', [name])
      most = Math.max(most, rows.length)
      await pause(20)
    }
    return most
  })()
  return () => {
    isOver = true
    return counting
  }
}
