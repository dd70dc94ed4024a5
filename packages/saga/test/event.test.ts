import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DataSchema, defineEvent, envelopeOf, type Received } from '../src/event.ts'

type Plant = { plantId: string }
const plantOf = (value: unknown): Plant => {
  const { plantId } = value as Partial<Plant>
  if (typeof plantId !== 'string') throw new Error('plantId is missing')
  return { plantId }
}
const define = (overrides: Partial<{ name: string; version: number; data: DataSchema<Plant> }> = {}) =>
  defineEvent({
    name: 'plant.listed',
    version: 1,
    topic: 'market',
    key: (data: Plant) => data.plantId,
    data: plantOf,
    ...overrides,
  })
const listed = define()
const invalid = { code: 'SAGA_EVENT_INVALID', message: /^data of plant\.listed v1 is not valid: / }

test('an event has the data that its schema names, and nothing else', () => {
  const event = listed({ plantId: 'fern', price: 12 } as Plant)
  assert.deepEqual(event.data, { plantId: 'fern' })
  assert.equal(event.kind, listed)
  assert.deepEqual([listed.type, listed.version, listed.topic], ['plant.listed', 1, 'market'])
})

test('data that does not fit is refused, with the reason and without the value', () => {
  assert.throws(() => listed({ plantId: 7, secret: 'hush' } as never), {
    code: 'SAGA_EVENT_INVALID',
    message: 'data of plant.listed v1 is not valid: plantId is missing',
  })
  assert.throws(() => listed.parse(null), invalid)
})

test('any Standard Schema will do', () => {
  const standard = (validate: (value: unknown) => unknown) =>
    define({ data: { '~standard': { validate } } as DataSchema<Plant> })
  const zodLike = standard((value) => {
    try {
      return { value: plantOf(value) }
    } catch {
      return { issues: [{ message: 'no plantId' }, { message: 'no plant' }] }
    }
  })
  assert.deepEqual(zodLike({ plantId: 'fern' }).data, { plantId: 'fern' })
  assert.throws(() => zodLike({} as Plant), { ...invalid, message: /no plantId; no plant$/ })

  // Valibot answers with its whole dataset: the value, valid or not, and the issues, undefined when there are none.
  const valibotLike = standard((value) => ({
    typed: 'plantId' in (value as object),
    value,
    issues: 'plantId' in (value as object) ? undefined : [{ message: 'no plantId' }],
  }))
  assert.deepEqual(valibotLike({ plantId: 'fern' }).data, { plantId: 'fern' })
  assert.throws(() => valibotLike({} as Plant), { ...invalid, message: /no plantId$/ })

  // ArkType's schemas are functions.
  const arkTypeLike = Object.assign(() => assert.fail('called'), { '~standard': { validate: plantLike } })
  assert.deepEqual(define({ data: arkTypeLike as unknown as DataSchema<Plant> })({ plantId: 'fern' }).data, {
    plantId: 'fern',
  })

  const asynchronous = standard(async () => Promise.reject(new Error('too late')))
  assert.throws(() => asynchronous({ plantId: 'fern' }), { ...invalid, message: /asynchronous/ })
})
const plantLike = (value: unknown) => ({ value: plantOf(value) })

test('a name or a version that is none is refused', () => {
  for (const name of ['listed', 'Plant.listed', 'plant.', '.listed', 'plant listed', 'plant_listed', '7.up', ''])
    assert.throws(() => define({ name }), { code: 'SAGA_DEFINITION', message: /is not like/ }, name)
  for (const name of ['user.sign-up-started', 'a.b', 'market.plant.listed2']) assert.equal(define({ name }).type, name)
  for (const version of [0, -1, 1.5, NaN]) assert.throws(() => define({ version }), { code: 'SAGA_DEFINITION' })
})

test('an envelope starts a chain, or goes on with its cause', () => {
  const time = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
  const first = envelopeOf(listed({ plantId: 'fern' }), time, { traceparent: '00-trace' })
  assert.match(first.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  assert.deepEqual(first, {
    id: first.id,
    type: 'plant.listed',
    version: 1,
    key: 'fern',
    time: '2026-01-02T03:04:05.006Z',
    causationId: null,
    correlationId: first.id,
    traceparent: '00-trace',
    attempt: 1,
    data: { plantId: 'fern' },
  })
  const started = { ...first, sagaType: 'listing', sagaId: 'saga 1' }
  const heard: Received = { ...started, topic: 'market', partition: 0, offset: 9, tries: 3 }
  const answer = envelopeOf(listed({ plantId: 'moss' }), time, { causedBy: heard })
  assert.deepEqual(answer, {
    ...first,
    id: answer.id,
    key: 'moss',
    sagaType: 'listing',
    sagaId: 'saga 1',
    causationId: first.id,
    attempt: 3,
    data: { plantId: 'moss' },
  })
  assert.notEqual(answer.id, first.id)
  const other = envelopeOf(listed({ plantId: 'moss' }), time, { causedBy: heard, sagaType: 'other', sagaId: 'saga 2' })
  assert.deepEqual([other.sagaType, other.sagaId], ['other', 'saga 2'])
})
