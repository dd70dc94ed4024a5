// What stands in front of the instances of a service, as a load balancer would in production: one address that does not change. It
// works on connections, not on requests, so that nothing is ever buffered: a stream passes as it comes.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const ASK_EVERY_MS = 250
const ASK_TIMEOUT_MS = 2_000

export interface BalancerOptions {
  /** Default 0: a free one. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  /** Whether an instance wants connections; default: whether `/api/health/ready` answers 200. One that rejects says no. */
  isReady?: (url: URL, signal: AbortSignal) => Promise<boolean>
}

/** Instances have names; their addresses come and go with their processes. */
export interface Balancer {
  readonly port: number
  /** From now on this instance is there; or, undefined, nowhere. */
  place(name: string, url: URL | undefined): void
  /** Resolves once this instance is ready and gets connections; at once when it is. */
  ready(name: string): Promise<void>
  /** Takes no more connections and cuts those that are left. */
  stop(): Promise<void>
}

interface Instance {
  url: URL | undefined
  isReady: boolean
  /** Of the questions about its present address. */
  asking: AbortController
  readonly waiting: (() => void)[]
}

/**
 * Listens, and passes each connection on to the next ready instance, to another one when that one refuses it. When none is ready, to
 * whichever takes it: it can at least say what it misses. A connection that nobody takes is closed.
 */
export async function startBalancer({
  port = 0,
  host = '127.0.0.1',
  isReady = asks,
}: BalancerOptions = {}): Promise<Balancer> {
  const instances = new Map<string, Instance>()
  const sockets = new Set<Socket>()
  let turn = 0

  const instance = (name: string): Instance => {
    const known = instances.get(name)
    if (known) return known
    const made = { url: undefined, isReady: false, asking: new AbortController(), waiting: [] }
    instances.set(name, made)
    return made
  }

  async function ask(one: Instance, url: URL, { signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      const answer = await isReady(url, AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)])).catch(
        () => false,
      )
      if (signal.aborted) return
      one.isReady = answer
      if (answer) for (const resolve of one.waiting.splice(0)) resolve()
      await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => {})
    }
  }

  /** Addresses to try: ready ones first, each time beginning with another. */
  function addresses(): URL[] {
    const placed = [...instances.values()].filter(({ url }) => url !== undefined)
    const from = turn++ % Math.max(placed.length, 1)
    const turned = [...placed.slice(from), ...placed.slice(0, from)]
    return [...turned.filter((one) => one.isReady), ...turned.filter((one) => !one.isReady)].map(({ url }) => url!)
  }

  function keep(socket: Socket): void {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  }

  function pass(client: Socket, untried: URL[]): void {
    const url = untried.shift()
    if (!url || client.destroyed) return void client.destroy()
    const server = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true, noDelay: true })
    let isOpen = false
    keep(server)
    client.once('close', () => server.destroy())
    server.once('connect', () => {
      isOpen = true
      client.pipe(server).pipe(client)
    })
    // What was sent to one that took the connection may have had its effect: only a refusal is tried elsewhere.
    server.once('close', () => (isOpen ? client.destroy() : pass(client, untried)))
  }

  // Nothing is read from a client before there is somebody to pass it to.
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    keep(client)
    pass(client, addresses())
  })
  server.listen(port, host)
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    place(name, url) {
      const one = instance(name)
      one.asking.abort()
      Object.assign(one, { url, isReady: false, asking: new AbortController() })
      if (url) void ask(one, url, one.asking)
    },
    async ready(name) {
      const one = instance(name)
      if (!one.isReady) await new Promise<void>((resolve) => one.waiting.push(resolve))
    },
    async stop() {
      for (const { asking } of instances.values()) asking.abort()
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function asks(url: URL, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(new URL('/api/health/ready', url), { signal })
  // Read to its end, so that the connection can be used again.
  await response.arrayBuffer()
  return response.status === 200
}
