import type { ServerResponse } from 'node:http'
import { formatCursor } from './streams.ts'

// The bytes of Server-Sent Events (WHATWG HTML, 9.2). No field may hold a line break or NUL: it would let whoever chose the value
// write fields, or whole events, into other people's streams.

const FIELD = /^[^\r\n\0]*$/

/** Headers of every stream: no cache, no proxy buffer, no compression. */
export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

/** One event as bytes; `data` is one line of JSON. Throws RangeError for a line break or NUL in any field. */
export function frame(event: { epoch: string; seq: number } | undefined, type: string, data: string): Buffer {
  const id = event === undefined ? '' : formatCursor(event)
  if (!FIELD.test(id) || !FIELD.test(type) || !FIELD.test(data)) throw new RangeError('a line break or NUL in an SSE field')
  return Buffer.from(`${id === '' ? '' : `id: ${id}\n`}event: ${type}\ndata: ${data}\n\n`)
}

/** The first bytes of a stream: how long to wait before reconnecting (spread, so that clients do not come back together), and a comment. */
export const opening = (retryMs: number): string => `retry: ${retryMs}\n: pando\n\n`

export const COMMENT = Buffer.from(':\n\n')
export const HEARTBEAT = frame(undefined, 'hb', '{}')

/** A whole number between `from` and `to`. */
export const jitter = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from + 1))

/** Answers that the server is full: not an error status, which would stop a browser's EventSource for good. */
export function answerBusy(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  res.writeHead(200, { ...headers, ...SSE_HEADERS })
  res.end(`${opening(jitter(30_000, 60_000))}event: busy\ndata: {}\n\n`)
}
