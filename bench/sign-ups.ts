import { connect, type Socket } from 'node:net'
import { quantile } from './row.ts'

// A load generator that leaves the cores to what it measures: plain sockets, requests as text, answers searched and not parsed.

export interface Load {
  perSecond: number
  p50: number
  p99: number
  /** Sign-ups whose stream did not end with `completed`. */
  lost: number
}

/** `count` sign-ups by `POST /api/users` with the stream as the answer, `concurrent` at a time; each from the request to the last frame. */
export async function signUps(
  url: string,
  { count, concurrent, run }: { count: number; concurrent: number; run: string },
): Promise<Load> {
  const { hostname, port } = new URL(url)
  const times: number[] = []
  let next = 0
  let lost = 0
  const from = performance.now()
  await Promise.all(
    Array.from({ length: concurrent }, async () => {
      const socket = await open(Number(port), hostname)
      while (next < count) {
        const began = performance.now()
        const answer = await exchange(socket, request(hostname, `${run}${(next++).toString(36)}`))
        times.push(performance.now() - began)
        if (!answer.includes('"status":"completed"')) lost++
      }
      socket.destroy()
    }),
  )
  const seconds = (performance.now() - from) / 1000
  return { perSecond: count / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99), lost }
}

function open(port: number, host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => resolve(socket.setNoDelay(true)))
    socket.on('error', reject)
  })
}

function request(host: string, name: string): string {
  const body = JSON.stringify({
    username: `u.${name}`,
    password: `Sekret-${name}-123456`,
    displayName: `Person ${name}`,
    email: `${name}@example.org`,
  })
  return (
    `POST /api/users HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

/** The whole answer; a stream ends with the empty chunk, a problem with its own length. */
function exchange(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const hear = (bytes: Buffer): void => {
      answer += bytes.toString('latin1')
      if (!answer.endsWith('0\r\n\r\n') && !isWhole(answer)) return
      socket.off('data', hear).off('close', gone)
      resolve(answer)
    }
    const gone = (): void => reject(new Error(`the connection ended: ${answer.slice(0, 200)}`))
    socket.on('data', hear).on('close', gone)
    socket.write(text)
  })
}

function isWhole(answer: string): boolean {
  const length = /^content-length: (\d+)/im.exec(answer.slice(0, 2_000))?.[1]
  const head = answer.indexOf('\r\n\r\n')
  return length !== undefined && head >= 0 && answer.length >= head + 4 + Number(length)
}
