import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Client, type EventStream } from '../../../test/support/client.ts'
import {
  createHub,
  type Hub,
  type HubOptions,
  type OpenOptions,
  parseCursor,
  type StoredEvent,
  type StreamHead,
  type StreamSource,
} from '../src/index.ts'
import { until } from './until.ts'

/** A server whose requests are answered by `handle`, and what tests need to know of it. Closed after the test. */
export interface StreamServer {
  port: number
  /** Every answer, in the order of the requests. */
  responses: ServerResponse[]
  /** Opens a stream; resolves with its head. */
  open(path: string, lastEventId?: string): Promise<EventStream>
  /** A client that is only a socket: what it reads, and when, is the test's affair. */
  connect(path: string, headers?: string): Socket
}

export async function serve(
  t: TestContext,
  handle: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<StreamServer> {
  const responses: ServerResponse[] = []
  const server = createServer((req, res) => {
    responses.push(res)
    handle(req, res)
  })
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const client = new Client(`http://127.0.0.1:${port}`)
  return {
    port,
    responses,
    open: (path, id) => client.stream(path, id === undefined ? {} : { headers: { 'last-event-id': id } }),
    connect(path, headers = '') {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`)
      socket.on('error', () => {})
      return socket
    },
  }
}

/** `GET /<stream>?owner=&session=` opens that stream of the source; `options` adds to how. */
export const opening =
  (hub: Hub, source: StreamSource, options: Partial<OpenOptions> = {}) =>
  (req: IncomingMessage, res: ServerResponse): void => {
    const { pathname, searchParams } = new URL(req.url!, 'http://localhost')
    hub.open(res, {
      source,
      stream: decodeURIComponent(pathname.slice(1)),
      cursor: parseCursor(req.headers['last-event-id'] as string | undefined),
      owner: searchParams.get('owner') ?? undefined,
      session: searchParams.get('session') ?? undefined,
      ...options,
    })
  }

/** Streams in memory: what was appended is there at once. Any other is an empty stream. */
export interface MemorySource extends StreamSource {
  epoch: string
  /** Names of what was asked, in order: `heads a`, `page a 0`. */
  readonly asked: string[]
  /** How many events were read. */
  read: number
  /** Replaced to make reads slow, fail, or find nothing. */
  before(asked: string): Promise<void> | void
  append(stream: string, event?: Partial<StoredEvent>): StoredEvent
  /** Drops the events before `min`. */
  trim(stream: string, min: number): void
  remove(stream: string): void
}

export function createMemorySource(): MemorySource {
  const logs = new Map<string, StoredEvent[]>()
  const minimums = new Map<string, number>()
  const removed = new Set<string>()
  const headOf = (stream: string): StreamHead => {
    const log = logs.get(stream) ?? []
    return { seq: log.length, min: minimums.get(stream) ?? 1, ended: log.at(-1)?.last === true }
  }
  return {
    epoch: 'e0',
    asked: [],
    read: 0,
    before: () => {},
    append(stream, event = {}) {
      const log = logs.get(stream) ?? []
      const stored = { seq: log.length + 1, type: 'note', data: JSON.stringify({ n: log.length + 1 }), ...event }
      logs.set(stream, [...log, stored])
      return stored
    },
    trim: (stream, min) => void minimums.set(stream, min),
    remove: (stream) => void removed.add(stream),
    async heads(streams) {
      this.asked.push(`heads ${streams.join(' ')}`)
      const found = new Map(streams.filter((stream) => !removed.has(stream)).map((stream) => [stream, headOf(stream)]))
      await this.before('heads')
      return found
    },
    async page(stream, after, limit) {
      this.asked.push(`page ${stream} ${after}`)
      const min = minimums.get(stream) ?? 1
      const found = (logs.get(stream) ?? []).filter(({ seq }) => seq > after && seq >= min).slice(0, limit)
      this.read += found.length
      await this.before('page')
      return found
    },
  }
}

/** What a client of a stream must have got: the seqs of the ids, in order. */
export const seqsOf = (stream: Pick<EventStream, 'events'>): number[] =>
  stream.events.flatMap(({ id, event }) => (id === undefined || event === 'reset' ? [] : [Number(id.split('-')[1])]))

/** The whole numbers from `from` to `to`. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)

/**
 * A hub on a source in memory, behind a server. The clock stands still but for `pass`, so nothing is healed by a look at the heads and
 * nothing ended by a rotation unless a test lets time pass.
 */
export async function setUpHub(
  t: TestContext,
  { open = {}, ...options }: HubOptions & { open?: Partial<OpenOptions> } = {},
) {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() })
  const errors: Error[] = []
  const hub = createHub({ onError: (error) => errors.push(error), ...options })
  const source = createMemorySource()
  const server = await serve(t, opening(hub, source, open))
  t.after(() => hub.stop(0))
  return {
    hub,
    source,
    server,
    errors,
    /** Appends events, each with its wake-up. */
    publish(stream: string, count = 1): void {
      for (let i = 0; i < count; i++) {
        const event = source.append(stream)
        hub.wake(stream, event.seq, event)
      }
    },
    /** Resolves when so many streams are open, and all have written what there is. */
    live: (count = 1): Promise<unknown> =>
      until(`${count} are live`, () => {
        const stats = hub.stats()
        return stats.open === count && stats.catching + stats.lagging === 0
      }),
    /** Lets seconds go by, one at a time. */
    pass(seconds: number): void {
      for (let i = 0; i < seconds; i++) t.mock.timers.tick(1000)
    },
  }
}
