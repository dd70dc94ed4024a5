import type { ServerResponse } from 'node:http'

// The bytes of Server-Sent Events (WHATWG HTML, 9.2). No field may hold a line break or NUL: it would let whoever chose the value
// write fields, or whole events, into other people's streams.

// The body ends with the connection, as the specification of event streams advises: chunks would cost three more pieces per event.
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  connection: 'close',
}

const BREAK = /[\r\n\0]/

/** Throws RangeError for what cannot stand in a field: a line break, a NUL, or nothing at all. */
export function checkField(value: string): void {
  if (value === '' || BREAK.test(value)) throw new RangeError('an SSE field is empty or holds a line break or NUL')
}

/** One event as text; only stored ones have an id; `data` is one line of JSON. Throws RangeError like checkField. */
export function frame(id: string | undefined, type: string, data: string): string {
  if (id !== undefined) checkField(id)
  checkField(type)
  checkField(data)
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${data}\n\n`
}

export const COMMENT = Buffer.from(':\n\n')
export const HEARTBEAT = Buffer.from(frame(undefined, 'hb', '{}'))

/** A whole number between `from` and `to`. */
export const jitter = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from + 1))

/** Answers with the headers, and at once the first bytes: a comment, and a wait of 2 to 5 s before reconnecting, so that clients do not come back together. */
export function begin(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  answer(res, headers, jitter(2_000, 5_000))
}

/** Answers that the server is full: not an error status, which would stop a browser's EventSource for good. */
export function answerBusy(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  answer(res, headers, jitter(30_000, 60_000))
  res.end(frame(undefined, 'busy', '{}'))
}

function answer(res: ServerResponse, headers: Readonly<Record<string, string>>, retryMs: number): void {
  res.removeHeader('transfer-encoding')
  res.writeHead(200, { ...headers, ...HEADERS })
  if (res.req.method === 'HEAD') return
  // As bytes: written together with a string, the pieces that the headers were made of would stay in memory as long as the stream.
  res.write(Buffer.from(`retry: ${retryMs}\n: pando\n\n`))
}
