import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Hub, StreamSource } from '@pando/saga'
import { Client, type EventStream } from './client.ts'

// Streams in which nothing is stored.
const source: StreamSource = {
  epoch: 'test',
  heads: async (streams) => new Map(streams.map((stream) => [stream, { seq: 0, min: 1, ended: false }])),
  page: async () => [],
}

/** Lets tests open streams of a hub: the returned function opens a user's, and resolves once it hears. */
export async function serveStreams(
  scope: { after(fn: () => void): void },
  hub: Hub,
): Promise<(userId: string) => Promise<EventStream>> {
  const server = createServer((req, res) => hub.open(res, { source, stream: req.url!.slice(1) })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return async (userId) => {
    const stream = await client.stream(`/${userId}`)
    return stream.until('the first bytes', ({ retry }) => retry !== undefined && hub.stats().catching === 0)
  }
}
