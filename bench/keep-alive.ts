import { connect, type Socket } from 'node:net'

// Requests one after the other on connections that stay open, as a gateway or a browser sends them; answers are searched, not parsed.

export interface Answer {
  status: number
  body: string
}

export interface Connection {
  /** One request at a time. `path` and `body` as they go; the answer must have a content-length, or no body. */
  ask(method: string, path: string, token: string, body?: string): Promise<Answer>
  close(): void
}

const ended = (): Error => new Error('the server has closed this connection')

/** Rejects when nobody is there. */
export function open(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  let text = ''
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined

  function read(): void {
    const head = text.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
    if (text.length < head + 4 + length) return
    const answer = { status: Number(text.slice(9, 12)), body: text.slice(head + 4, head + 4 + length) }
    text = text.slice(head + 4 + length)
    waiting?.resolve(answer)
  }

  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(port), hostname, () =>
      resolve({
        ask: (method, path, token, body) =>
          new Promise((done, failed) => {
            if (socket.destroyed) return failed(ended())
            waiting = { resolve: done, reject: failed }
            const content =
              body === undefined
                ? ''
                : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
            socket.write(
              `${method} ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\n${content}\r\n${body ?? ''}`,
            )
          }),
        close: () => socket.destroy(),
      }),
    )
    // Lengths count bytes.
    socket.setEncoding('latin1').setNoDelay(true)
    socket.on('data', (piece: string) => {
      text += piece
      read()
    })
    socket.on('error', (error) => (waiting ?? { reject }).reject(error))
    // Servers end what has been idle for a while.
    socket.on('close', () => waiting?.reject(ended()))
  })
}
