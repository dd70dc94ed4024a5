import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test, { after, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { EventStream } from '../../../test/support/client.ts'
import { clusterUrl, testDatabase } from '../../../test/support/postgres.ts'
import type { ClientOrder, ClientReply } from '../../../test/support/sse-clients.ts'
import { createSseReader, type ServerEvent } from '../../../test/support/sse.ts'
import {
  appendToStreams,
  createDatabase,
  createHub,
  createStreamSource,
  type Database,
  migrate,
  type StreamedEvent,
  type StreamSource,
  transaction,
} from '../src/index.ts'
import { opening, range, seqsOf, serve } from './stream-server.ts'
import { until } from './until.ts'

const streams = {
  template: 'streams',
  migrate: (db: Database) => migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) }),
}
const db = await testDatabase({ after }, streams)
const source = await createStreamSource(db)

/** The same, but answers are under way for a while, so that events are committed after a read and before its answer. */
const distant: StreamSource = {
  epoch: source.epoch,
  heads: (names) => source.heads(names).then(late),
  page: (name, from, limit) => source.page(name, from, limit).then(late),
}
const late = <T>(answer: T): Promise<T> => pause(Math.random() * 6, answer)

/** A hub on a source, behind a server; without a cursor a client gets all. */
async function startHub(t: TestContext, from: StreamSource) {
  const hub = createHub({ onError: (error) => assert.fail(error) })
  const server = await serve(t, opening(hub, from, { from: 'first' }))
  t.after(() => hub.stop(0))
  /** A wake-up for each event, as it should be. */
  const wake = (events: readonly StreamedEvent[]): void => {
    for (const { stream, event } of events) hub.wake(stream, event.seq, event)
  }
  return { hub, server, wake }
}

type Wake = (events: readonly StreamedEvent[]) => void

/** One event for each stream, in one transaction, with its wake-up after the commit. */
const publish = (to: Database, names: readonly string[], wake: Wake): Promise<void> =>
  transaction(to, async (tx) => {
    const events = await appendToStreams(
      tx,
      names.map((stream) => ({ stream, type: 'note', data: { text: '안녕' } })),
    )
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
  { server, wake: faultless }: Awaited<ReturnType<typeof startHub>>,
  { wake, settle = async () => {} }: { wake: Wake; settle?: () => Promise<void> },
): Promise<void> {
  const run = randomUUID()
  const names = range(1, STREAMS).map((n) => `${run}-${n}`)
  const clients: { from: number; stream: EventStream }[] = []
  const follow = async (name: string): Promise<void> => {
    const plan = range(0, EVENTS).flatMap((from) =>
      range(1, CLIENTS).map(() => ({ from, moment: from + Math.floor(Math.random() * (EVENTS - from)) })),
    )
    for (const seq of range(0, EVENTS)) {
      if (seq > 0) await publish(db, [name], wake)
      // Each has its head when the next event is published, and its first read is under way.
      const now = plan.filter(({ moment }) => moment === seq)
      await Promise.all(
        now.map(async ({ from }) => {
          const stream = await server.open(`/${name}`, from === 0 ? undefined : `${source.epoch}-${from}`)
          clients.push({ from, stream })
        }),
      )
    }
  }
  await Promise.all(names.map(follow))
  await settle()
  assert.equal(clients.length, STREAMS * (EVENTS + 1) * CLIENTS)
  for (const { from, stream } of clients)
    await stream.until(`all from ${from}`, () => seqsOf(stream).length >= EVENTS - from)
  // Once more to all: what came twice has come by then.
  await publish(db, names, faultless)
  for (const { from, stream } of clients) {
    await stream.until('the last', () => seqsOf(stream).at(-1) === EVENTS + 1)
    assert.deepEqual(seqsOf(stream), range(from + 1, EVENTS + 1))
  }
}

test('at every cursor, opened while events are published, a client gets the rest, each once, in order', async (t) => {
  // The hub's clock does not run: what a wake-up has missed would stay missing.
  t.mock.timers.enable({ apis: ['setInterval'] })
  const world = await startHub(t, distant)
  await openAtEveryCursor(world, { wake: world.wake })
})

test('the same when wake-ups are lost, doubled, late, without the event and in any order', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() })
  const world = await startHub(t, distant)
  const bus: StreamedEvent[] = []
  let lost = 0
  const wake: Wake = (events) => {
    for (const event of events) {
      const copies = Math.floor(Math.random() * 3)
      if (copies === 0) lost++
      for (let i = 0; i < copies; i++) bus.splice(Math.floor(Math.random() * (bus.length + 1)), 0, event)
    }
    for (const { stream, event } of bus.splice(0, Math.floor(Math.random() * 4)))
      world.hub.wake(stream, event.seq, Math.random() < 0.5 ? event : undefined)
  }
  await openAtEveryCursor(world, {
    wake,
    async settle() {
      const { hub } = world
      await until(
        'all are open',
        () => hub.stats().open === STREAMS * (EVENTS + 1) * CLIENTS && hub.stats().catching === 0,
      )
      for (let i = 0; i < 5; i++) t.mock.timers.tick(1000)
    },
  })
  assert.ok(lost > STREAMS)
})

test('cut off at any byte, a client goes on at another hub, and has each event once', async (t) => {
  const name = randomUUID()
  for (let i = 0; i < 3; i++) await publish(db, [name], () => {})
  const one = await startHub(t, source)
  const two = await startHub(t, source)
  const open = (port: number, id?: string): Socket => {
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `GET /${name} HTTP/1.1\r\nhost: localhost\r\n${id === undefined ? '' : `last-event-id: ${id}\r\n`}\r\n`,
    )
    return socket
  }
  const whole = await receive(open(one.server.port), (events) => events.length === 3)
  const body = whole.indexOf('\r\n\r\n') + 4
  const cutAt = async (bytes: number): Promise<void> => {
    const first = eventsIn(await receive(open(await relayOf(t, one.server.port, bytes))))
    const missing = 3 - first.length
    const rest = eventsIn(await receive(open(two.server.port, first.at(-1)?.id), (events) => events.length === missing))
    assert.deepEqual([...first, ...rest], eventsIn(whole), `cut after ${bytes} bytes`)
  }
  await Promise.all(
    range(0, 3).map(async (offset) => {
      for (let bytes = body + offset; bytes <= whole.length; bytes += 4) await cutAt(bytes)
    }),
  )
  await until('nothing is left', () => one.hub.stats().open + two.hub.stats().open === 0)
})

/** What a socket receives until it is closed, or closed here with `enough` events and the head. */
async function receive(socket: Socket, enough: (events: ServerEvent[]) => boolean = () => false): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (enough(eventsIn(Buffer.concat(chunks)))) socket.destroy()
  })
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

function eventsIn(answer: Buffer): ServerEvent[] {
  const events: ServerEvent[] = []
  createSseReader({ onEvent: (event) => events.push(event) })(
    answer.subarray(answer.indexOf('\r\n\r\n') + 4).toString(),
  )
  return events
}

/** The port of a relay that ends its connection after so many bytes from `port`. */
async function relayOf(t: TestContext, port: number, bytes: number): Promise<number> {
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.on('data', (chunk) => far.write(chunk))
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
  t.after(() => void relay.close())
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  return (relay.address() as AddressInfo).port
}

test('5,000 open streams need no more database connections than one', async (t) => {
  const count = 5_000
  const five = await testDatabase(t, streams)
  const { hub, server, wake } = await startHub(t, await createStreamSource(five))
  const publishToAll = async (): Promise<void> => {
    for (let i = 0; i < count; i += 500) await publish(five, range(i, i + 499).map(String), wake)
  }
  const before = await medianOfQueries(five, 200)
  const mostConnections = await countConnections(t, five)
  const clients = fork(new URL('../../../test/support/sse-clients.ts', import.meta.url))
  const ended = new AbortController()
  clients.on('exit', (code) => ended.abort(new Error(`the clients' process ended with ${code}`)))
  t.after(() => clients.kill())
  const ask = async (order: ClientOrder): Promise<ClientReply> => {
    clients.send(order)
    const [reply] = (await once(clients, 'message', { signal: ended.signal })) as [ClientReply]
    return reply
  }

  await ask({ do: 'open', port: server.port, count, shared: false })
  await until('all are live', () => hub.stats().open === count && hub.stats().catching === 0)
  const { total, idle, waiting } = five.stats()
  assert.deepEqual([idle, waiting], [total, 0], 'no connection is held')
  const during = await medianOfQueries(five, 200)
  assert.ok(during < 3 * before + 20, `a query took ${before.toFixed(2)} ms before, then ${during.toFixed(2)} ms`)

  const live = ask({ do: 'await', seq: 1 })
  await publishToAll()
  assert.deepEqual(await live, { done: 'await', received: count, lost: 0, doubled: 0, beats: 0 })

  await ask({ do: 'drop' })
  await until('all have left', () => hub.stats().open === 0)
  await publishToAll()
  const back = ask({ do: 'open', port: server.port, count, shared: false })
  const amid = await medianOfQueries(five, 50)
  await back
  assert.deepEqual(await ask({ do: 'await', seq: 2 }), {
    done: 'await',
    received: 2 * count,
    lost: 0,
    doubled: 0,
    beats: 0,
  })
  t.diagnostic(
    `a query took ${before.toFixed(2)} ms before, ${during.toFixed(2)} ms then, ${amid.toFixed(2)} ms while all came back`,
  )

  await ask({ do: 'drop' })
  await until('nothing is left', () => {
    const { written: _, ...counts } = hub.stats()
    return Object.values(counts).every((left) => left === 0)
  })
  assert.ok((await mostConnections()) <= 5)
})

/** In milliseconds, of so many ordinary queries, one after the other. */
async function medianOfQueries(db: Database, count: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await db.query('select last_seq from saga.stream_head where stream = $1', [String(i)])
    times.push(performance.now() - from)
  }
  return times.toSorted((a, b) => a - b)[count >> 1]!
}

/** Counts the connections to a database from now on; the returned function ends that and tells the most there have been. */
async function countConnections(t: TestContext, db: Database): Promise<() => Promise<number>> {
  const [row] = await db.query<{ name: string }>('select current_database() as name')
  const admin = createDatabase({ connectionString: clusterUrl(), max: 1 })
  t.after(() => admin.close())
  let isOver = false
  const counting = (async () => {
    let most = 0
    for (; !isOver; await pause(20)) {
      // Clients' alone: PostgreSQL vacuums when it likes.
      const found = await admin.query(
        `select from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
        [row!.name],
      )
      most = Math.max(most, found.length)
    }
    return most
  })()
  return () => {
    isOver = true
    return counting
  }
}
