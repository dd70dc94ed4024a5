import assert from 'node:assert/strict'
import { StringDecoder } from 'node:string_decoder'
import test from 'node:test'
import fc from 'fast-check'
import { createSseReader, type ServerEvent } from '../../../test/support/sse.ts'
import { COMMENT, frame, HEARTBEAT, jitter } from '../src/sse.ts'
import { parseCursor } from '../src/streams.ts'

/** What a browser makes of these bytes, wherever the network cuts them. */
function read(bytes: Buffer, cuts: readonly number[] = []): { events: ServerEvent[]; comments: string[] } {
  const events: ServerEvent[] = []
  const comments: string[] = []
  const push = createSseReader({ onEvent: (event) => events.push(event), onComment: (text) => comments.push(text) })
  const decoder = new StringDecoder('utf8')
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  ends.forEach((end, i) => push(decoder.write(bytes.subarray(i === 0 ? 0 : ends[i - 1], end))))
  return { events, comments }
}

const field = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/[\r\n\0]/.test(text))

test('whatever an event says, a reader gets exactly that, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ seq: fc.nat(), type: field, value: fc.jsonValue() }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (events, cuts) => {
        const bytes = Buffer.from(
          events.map(({ seq, type, value }) => frame(`e0-${seq}`, type, JSON.stringify(value))).join(''),
        )
        assert.deepEqual(
          read(bytes, cuts).events,
          events.map(({ seq, type, value }) => ({ id: `e0-${seq}`, event: type, data: JSON.stringify(value) })),
        )
      },
    ),
  )
})

test('an event that is stored nowhere has no id', () => {
  assert.equal(frame(undefined, 'typing', '{}'), 'event: typing\ndata: {}\n\n')
})

test('no field can end its line, or be empty', () => {
  for (const bad of ['', 'a\nb', 'a\rb', 'a\r\nb', 'a\0b', '\n', 'x\n\nevent: forged\ndata: {}\n\n']) {
    assert.throws(() => frame(bad, 'note', '{}'), RangeError)
    assert.throws(() => frame('e0-1', bad, '{}'), RangeError)
    assert.throws(() => frame('e0-1', 'note', bad), RangeError)
  }
})

test('a comment is no event, and a heartbeat is one without an id', () => {
  assert.deepEqual(read(Buffer.concat([COMMENT, HEARTBEAT])), {
    events: [{ event: 'hb', id: undefined, data: '{}' }],
    comments: [''],
  })
})

test('jitter reaches both its bounds and nothing beyond', () => {
  const seen = new Set(Array.from({ length: 1000 }, () => jitter(3, 5)))
  assert.deepEqual(seen, new Set([3, 4, 5]))
})

test('a cursor is read from the id that was sent', () => {
  for (const id of ['e0-0', '0-1', 'abc123-42', `${'a'.repeat(32)}-9999999999999999`]) {
    const cursor = parseCursor(id)
    assert.ok(cursor)
    assert.equal(`${cursor.epoch}-${cursor.seq}`, id.replace('9999999999999999', '10000000000000000'))
  }
  for (const none of [undefined, '']) assert.equal(parseCursor(none), undefined)
})

test('a malformed cursor is refused', () => {
  const bad = [
    'e0',
    '-1',
    'e0-',
    'e0-01',
    'e0--1',
    'e0-1.5',
    'e0-1e3',
    'E0-1',
    'e_0-1',
    ' e0-1',
    'e0-1 ',
    'e0-1, e0-2',
    'é0-1',
  ]
  const attacks = [
    'e0-1\n',
    'e0-1\r\nevent: x',
    'e0\0-1',
    '\u0000',
    `e0-${'1'.repeat(17)}`,
    `${'a'.repeat(33)}-1`,
    'a'.repeat(10_240),
    '\ud800-1',
  ]
  for (const id of [...bad, ...attacks])
    assert.throws(() => parseCursor(id), { code: 'SAGA_CURSOR' }, JSON.stringify(id))
})
