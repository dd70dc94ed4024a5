import { connect } from 'node:net'
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
      while (next < count) {
        const began = performance.now()
        const answer = await exchange(Number(port), hostname, request(hostname, `${run}${(next++).toString(36)}`))
        times.push(performance.now() - began)
        if (!answer.includes('"status":"completed"')) lost++
      }
    }),
  )
  const seconds = (performance.now() - from) / 1000
  return { perSecond: count / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99), lost }
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
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}

/** The whole answer, to the end of the connection: that is where a stream ends. */
function exchange(port: number, host: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    connect(port, host)
      .setNoDelay(true)
      .on('data', (bytes) => {
        answer += bytes.toString('latin1')
      })
      .on('error', reject)
      .on('close', () => resolve(answer))
      .write(text)
  })
}
