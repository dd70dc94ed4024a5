// The server of bench/sse.ts, a process of its own: `hub`, or `bare` = what a person would write with node:http alone.
// Started with --expose-gc; told what to do, and asked what it cost, by messages.
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHub, parseCursor, type StoredEvent, type StreamSource } from '@pando/saga'

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
  handle: RequestListener
  publish(): void
  open(): number
}

const DATA = JSON.stringify({
  id: '0198d3b0-7c1e-7bbb-8f5e-3b1d5f6a7c8d',
  roomId: '0198d3b0-7c1e-7bbb-8f5e-000000000001',
  body: 'x'.repeat(120),
})

const server = process.argv[2] === 'hub' ? hubServer() : bareServer()
const http = createServer(server.handle).listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  reply({ port: (http.address() as AddressInfo).port }),
)
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

function hubServer(): Server {
  const hub = createHub()
  const logs = new Map<string, StoredEvent[]>()
  const logOf = (name: string): StoredEvent[] => logs.get(name) ?? logs.set(name, []).get(name)!
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
