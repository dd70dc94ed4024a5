// The server of bench/sse.ts, a process of its own: `hub`, or `bare` = what a person would write with node:http alone, or a library that
// people take for this: `better-sse`, `socket.io`.
// Started with --expose-gc; told what to do, and asked what it cost, by messages.
import { createServer, type RequestListener, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHub, parseCursor, type StoredEvent, type StreamSource } from '@pando/saga'
import { createChannel, createSession } from 'better-sse'
import { Server as SocketServer } from 'socket.io'

/** `memory` is of what is held: rubbish is collected first. */
export type ServerOrder = { do: 'publish' | 'memory' | 'cost' }
export type ServerReply = { port: number } | Sample

export interface Sample {
  rssKb: number
  cpuUs: number
  open: number
}

/** Streams are named /0, /1, …: clients share one, or have one each. */
interface Server {
  handle?: RequestListener
  /** For one that listens to more than requests. */
  attach?(http: HttpServer): void
  publish(): void
  open(): number
}

const DATA = JSON.stringify({
  id: '0198d3b0-7c1e-7bbb-8f5e-3b1d5f6a7c8d',
  roomId: '0198d3b0-7c1e-7bbb-8f5e-000000000001',
  body: 'x'.repeat(120),
})

const SERVERS: Record<string, (streams: number) => Server> = {
  bare: bareServer,
  hub: hubServer,
  'better-sse': betterSseServer,
  'socket.io': socketIoServer,
}
const server = SERVERS[process.argv[2] ?? '']!(Number(process.argv[3] ?? 0))
const http = createServer(server.handle)
server.attach?.(http)
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reply({ port: (http.address() as AddressInfo).port }))
process.on('message', (order: ServerOrder) => void obey(order))
process.on('disconnect', () => process.exit())

async function obey(order: ServerOrder): Promise<void> {
  if (order.do === 'publish') return server.publish()
  // More than once, for what only finalizers let go.
  for (let i = 0; i < 3 && order.do === 'memory'; i++) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { user, system } = process.cpuUsage()
  reply({ rssKb: process.memoryUsage().rss / 1024, cpuUs: user + system, open: server.open() })
}

function reply(message: ServerReply): void {
  process.send?.(message)
}

/** `streams` of them are written to before anybody opens them. */
function hubServer(streams: number): Server {
  const hub = createHub()
  const logs = new Map<string, StoredEvent[]>()
  const logOf = (name: string): StoredEvent[] => logs.get(name) ?? logs.set(name, []).get(name)!
  for (let i = 0; i < streams; i++) logOf(`/${i}`)
  const source: StreamSource = {
    epoch: 'e0',
    heads: async (names) => new Map(names.map((name) => [name, { seq: logOf(name).length, min: 1, ended: false }])),
    page: async (name, after, limit) => logOf(name).slice(after, after + limit),
  }
  return {
    handle: (req, res) =>
      hub.open(res, {
        source,
        stream: req.url!,
        cursor: parseCursor(req.headers['last-event-id'] as string | undefined),
      }),
    publish() {
      for (const [name, log] of logs) {
        const event = { seq: log.length + 1, type: 'message.created', data: DATA }
        log.push(event)
        hub.wake(name, event.seq, event)
      }
    },
    open: () => hub.stats().open,
  }
}

function bareServer(): Server {
  const streams = new Set<ServerResponse>()
  let seq = 0
  return {
    handle(_, res) {
      res.on('close', () => streams.delete(res))
      streams.add(res)
      res.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      })
      res.write('retry: 3000\n: pando\n\n')
    },
    publish() {
      const bytes = Buffer.from(`id: e0-${++seq}\nevent: message.created\ndata: ${DATA}\n\n`)
      for (const res of streams) res.write(bytes)
    },
    open: () => streams.size,
  }
}

function betterSseServer(): Server {
  const channel = createChannel()
  let seq = 0
  const data: unknown = JSON.parse(DATA)
  return {
    handle: (req, res) => void createSession(req, res).then((session) => channel.register(session)),
    publish: () => void channel.broadcast(data, 'message.created', { eventId: `e0-${++seq}` }),
    open: () => channel.sessionCount,
  }
}

function socketIoServer(): Server {
  const io = new SocketServer({ transports: ['websocket'], serveClient: false })
  let seq = 0
  const data: unknown = JSON.parse(DATA)
  return {
    attach: (to) => void io.attach(to),
    publish: () => void io.emit('message.created', ++seq, data),
    open: () => io.engine.clientsCount,
  }
}
