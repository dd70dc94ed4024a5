// A connection that can be cut, between a client and a server.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Scope } from './postgres.ts'

export interface Line {
  readonly url: string
  /** To this server, from now on. */
  lead(url: string): void
  /** Resets all connections; new ones are taken. */
  cut(): void
  /** Resets all connections, and new ones too, until `up` is called. */
  down(): void
  up(): void
}

/** Closed at the end of the scope. */
export async function startLine(scope: Scope): Promise<Line> {
  const sockets = new Set<Socket>()
  let target: URL | undefined
  let isDown = false
  const cut = (): void => sockets.forEach((socket) => socket.resetAndDestroy())
  const server = createServer((client) => {
    if (isDown || !target) return void client.resetAndDestroy()
    const upstream = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scope.after(async () => {
    server.close()
    cut()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lead(url) {
      target = new URL(url)
    },
    cut,
    down() {
      isDown = true
      cut()
    },
    up() {
      isDown = false
    },
  }
}
