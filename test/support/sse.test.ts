import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSseReader, type ServerEvent } from './sse.ts'

function read(...chunks: string[]) {
  const events: ServerEvent[] = []
  const comments: string[] = []
  const retries: number[] = []
  const push = createSseReader({
    onEvent: (event) => events.push(event),
    onComment: (text) => comments.push(text),
    onRetry: (ms) => retries.push(ms),
  })
  for (const chunk of chunks) push(chunk)
  return { events, comments, retries }
}

const STREAM =
  '\ufeff: hello\nretry: 2500\n\nid: e-1\nevent: saga\ndata: {"a":1}\n\ndata\ndata:  two\n\nevent: hb\nid: e-2\n\nid: e-3\ndata: x\n\nevent: cut\ndata: off\n'

test('whatever the line ends and wherever the text is cut, the same events', () => {
  const whole = read(STREAM)
  assert.deepEqual(whole.events, [
    { event: 'saga', id: 'e-1', data: '{"a":1}' },
    { event: 'message', id: undefined, data: '\n two' },
    // What has no data is no event, and what no empty line ends never came.
    { event: 'message', id: 'e-3', data: 'x' },
  ])
  assert.deepEqual([whole.comments, whole.retries], [[' hello'], [2500]])
  for (const text of [STREAM, STREAM.replaceAll('\n', '\r\n'), STREAM.replaceAll('\n', '\r')]) {
    assert.deepEqual(read(...text.split('')), whole)
    for (let at = 1; at < text.length; at++) assert.deepEqual(read(text.slice(0, at), text.slice(at)), whole)
  }
})

test('an id with NUL and a retry that is no number are ignored', () => {
  const { events, retries } = read('id: a\0b\nretry: 1e3\nretry: -1\ndata: x\n\n')
  assert.deepEqual(events, [{ event: 'message', id: undefined, data: 'x' }])
  assert.deepEqual(retries, [])
})
