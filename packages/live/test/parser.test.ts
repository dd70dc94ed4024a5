import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSseReader } from '../../../test/support/sse.ts'
import { createParser } from '../src/parser.ts'

type Seen = { event: string; id: string | undefined; data: string } | number

function parse(...pieces: Uint8Array[]): Seen[] {
  const seen: Seen[] = []
  const push = createParser({
    event: (event, data, id) => seen.push({ event, id, data }),
    retry: (ms) => seen.push(ms),
  })
  for (const piece of pieces) push(piece)
  return seen
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const parseText = (text: string): Seen[] => parse(bytes(text))

/** Cut at these places, some of which may be the same. */
function cut(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)).toSorted((a, b) => a - b), whole.length]
  return at.slice(1).map((end, i) => whole.subarray(at[i], end))
}

/** The reader that tests of the server use; it was written for itself. */
function readText(text: string): Seen[] {
  const seen: Seen[] = []
  createSseReader({ onEvent: (event) => seen.push(event), onRetry: (ms) => seen.push(ms) })(text)
  return seen
}

const field = fc.constantFrom('data', 'event', 'id', 'retry', 'dat', 'Data', '', ' data')
const value = fc.oneof(
  fc.constantFrom('', '7', '007', '1e3', '-1', 'e0-5', 'a\0b', '{"a":1}', ' two spaces', 'a:b'),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)
const line = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(field, fc.constantFrom(':', ': ', ':  ', ''), value).map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom('', '', ':', ': hello', '\ufeff', 'data') },
)
const text = fc
  .tuple(
    fc.constantFrom('', '\ufeff'),
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\n\r\n')), { maxLength: 30 }),
  )
  .map(([bom, lines]) => bom + lines.flat().join(''))

test('however a stream is cut, it says the same; and what another reader says of it', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 10 }), (stream, places) => {
      const whole = parseText(stream)
      assert.deepEqual(parse(...cut(bytes(stream), places)), whole)
      assert.deepEqual(parse(...Array.from(bytes(stream), (byte) => Uint8Array.of(byte))), whole)
      // The other one waits after a CR for what may be its LF.
      assert.deepEqual(readText(`${stream}:`), whole)
    }),
    { numRuns: 1_000 },
  )
})

test('any bytes at all, however they are cut, say the same', () => {
  const some = fc.array(fc.oneof(fc.constantFrom(...bytes('data: x\r\n\nid:event\0\ufeff한')), fc.nat(255)), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(some, fc.array(fc.nat(), { maxLength: 10 }), (all, places) => {
      const whole = Uint8Array.from(all)
      assert.deepEqual(parse(...cut(whole, places)), parse(whole))
    }),
    { numRuns: 2_000 },
  )
})

test('the examples of the specification', () => {
  assert.deepEqual(parseText('data: YHOO\ndata: +2\ndata: 10\n\n'), [
    { event: 'message', id: undefined, data: 'YHOO\n+2\n10' },
  ])
  assert.deepEqual(
    parseText(': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n'),
    [
      { event: 'message', id: '1', data: 'first event' },
      { event: 'message', id: '', data: 'second event' },
      { event: 'message', id: undefined, data: ' third event' },
    ],
  )
  assert.deepEqual(parseText('data\n\ndata\ndata\n\ndata:'), [
    { event: 'message', id: undefined, data: '' },
    { event: 'message', id: undefined, data: '\n' },
  ])
  assert.deepEqual(parseText('data:test\n\ndata: test\n\n').length, 2)
})

test('half an event is none', () => {
  assert.deepEqual(parseText('data: whole\n\nid: e0-2\nevent: a\ndata: half\n'), [
    { event: 'message', id: undefined, data: 'whole' },
  ])
})

test('an event that does not end is given up', () => {
  const push = createParser({ event() {}, retry() {} })
  const piece = bytes('x'.repeat(1024 * 1024))
  assert.throws(() => {
    for (let i = 0; i < 10; i++) push(piece)
  }, /an event of more than 4194304 characters/)
})
