// GET /api/stream for one user, by the real hub, on a server that can be told to fail in every way that clients have to live with.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, type Hub, type HubOptions, parseCursor, type StoredEvent, type StreamSource } from '@pando/saga'
import type { Scope } from './postgres.ts'

const USER = 'user'

/** Instead of the stream: an answer with this status, a full hub, a connection that is reset, or no answer at all. */
export type Trouble = number | { status: number; retryAfter: number } | 'busy' | 'reset' | 'nothing'

export interface LiveServer {
  readonly url: string
  readonly hub: Hub
  /** Each request for the stream, in order. */
  readonly requests: { id: string | undefined; token: string | undefined; at: number }[]
  /** What the next requests meet, first things first. */
  readonly troubles: Trouble[]
  /** Names the history of the stream: another one is another database. */
  epoch: string
  /** Stores an event and tells the hub. Returns its id. */
  append(type: string, data: unknown): string
  /** Drops what is stored before the event with this seq. */
  trim(seq: number): void
  /** Tells whoever listens, and stores nothing. */
  send(type: string, data: unknown): void
  /** Writes to all streams what no hub would. */
  write(text: string): void
  /** Resets all connections, in the middle of an event. */
  cut(): void
  /** Ends all streams, as a rotation does. */
  end(): void
  /** From now on nothing that is written to what is open arrives, and nobody is told. */
  silence(): void
}

export interface LiveServerOptions extends HubOptions {
  /** What the hub tells clients to wait before they come back, instead of its own 2 to 5 seconds. */
  retryMs?: number
  /** Answers what is not the stream. */
  other?: (req: IncomingMessage, res: ServerResponse) => void
}

/** Closed at the end of the scope. */
export async function startLiveServer(
  scope: Scope,
  { retryMs, other = (_req, res) => res.writeHead(404).end(), ...options }: LiveServerOptions = {},
): Promise<LiveServer> {
  const hub = createHub(options)
  const full = createHub({ maxStreams: 0 })
  const open = new Set<ServerResponse>()
  let log: StoredEvent[] = []
  let min = 1
  const source: StreamSource = {
    get epoch() {
      return live.epoch
    },
    heads: async (streams) => new Map(streams.map((stream) => [stream, { seq: log.length, min, ended: false }])),
    page: async (_stream, after, limit) => log.filter(({ seq }) => seq > after && seq >= min).slice(0, limit),
  }

  function stream(req: IncomingMessage, res: ServerResponse): void {
    const id = req.headers['last-event-id'] ?? new URL(req.url!, 'http://localhost').searchParams.get('lastEventId')
    const cursor = parseCursor(id?.toString())
    live.requests.push({
      id: id?.toString(),
      token: req.headers.authorization?.replace('Bearer ', ''),
      at: Date.now(),
    })
    const trouble = live.troubles.shift()
    if (trouble === 'reset') return void req.socket.resetAndDestroy()
    if (trouble === 'nothing') return
    if (trouble !== undefined && trouble !== 'busy') return refuse(res, trouble)
    open.add(res)
    res.on('close', () => open.delete(res))
    if (retryMs !== undefined) shortenRetry(res, retryMs)
    ;(trouble === 'busy' ? full : hub).open(res, { source, stream: USER, owner: USER, cursor })
  }

  const server = createServer((req, res) => (req.url!.startsWith('/api/stream') ? stream(req, res) : other(req, res)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scope.after(async () => {
    server.close()
    server.closeAllConnections()
    await hub.stop(0)
  })
  const live: LiveServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hub,
    requests: [],
    troubles: [],
    epoch: 'e0',
    append(type, data) {
      const event = { seq: log.length + 1, type, data: JSON.stringify(data) }
      log = [...log, event]
      hub.wake(USER, event.seq, event)
      return `${live.epoch}-${event.seq}`
    },
    trim: (seq) => void (min = seq),
    send: (type, data) => hub.send(USER, type, data),
    write(text) {
      for (const res of open) res.write(text)
    },
    cut() {
      for (const res of open) {
        res.write(`id: ${live.epoch}-${log.length + 1}\nevent: room.read\ndata: {"half":`)
        mute(res)
        // Written first, or the reset would overtake it.
        setImmediate(() => res.socket?.resetAndDestroy())
      }
    },
    end: () => hub.end(USER),
    silence() {
      for (const res of open) {
        open.delete(res)
        mute(res)
      }
    },
  }
  return live
}

function shortenRetry(res: ServerResponse, ms: number): void {
  const write = res.write.bind(res) as (bytes: unknown) => boolean
  res.write = (bytes: unknown) => {
    res.write = write as typeof res.write
    return write(Buffer.from(String(bytes).replace(/^retry: (?!\d{5})\d+/, `retry: ${ms}`)))
  }
}

/** What the hub writes from now on goes nowhere. */
function mute(res: ServerResponse): void {
  res.write = () => true
  res.end = () => res
}

function refuse(res: ServerResponse, trouble: number | { status: number; retryAfter: number }): void {
  const status = typeof trouble === 'number' ? trouble : trouble.status
  if (typeof trouble === 'object') res.setHeader('retry-after', trouble.retryAfter)
  res.writeHead(status, { 'content-type': 'application/problem+json' })
  res.end(status === 204 ? '' : '{}')
}
