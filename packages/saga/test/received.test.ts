import assert from 'node:assert/strict'
import test from 'node:test'
import { on, SagaError } from '../src/index.ts'
import { reactionTable } from '../src/reaction.ts'
import { readEvent, sortRecords } from '../src/received.ts'
import type { LogRecord, PlacedRecord } from '../src/transport.ts'
import { changed, changedV2, recordOf } from './stock.ts'

const table = reactionTable([on([changed], async () => {})])
const placed = (record: LogRecord, offset = 7): PlacedRecord => ({ ...record, partition: 3, offset })
const event = placed(recordOf(changed({ key: 'fern', version: 1 })))
const codeIs = (code: string) => (error: unknown) => error instanceof SagaError && error.code === code

test('an event is its envelope, where it stood, and which try it is on', () => {
  const { partition, offset, tries, topic, data, type, id, key } = readEvent(event, table, 2)
  assert.deepEqual(
    { partition, offset, tries, topic, data, type, id, key },
    {
      partition: 3,
      offset: 7,
      tries: 2,
      topic: 'stock',
      data: { key: 'fern', version: 1 },
      type: 'stock.changed',
      id: event.id,
      key: 'fern',
    },
  )
})

test('what the record says of id and key stands above the envelope, which may lack them', () => {
  const body = JSON.stringify({ type: 'stock.changed', version: 1, key: 'oak', data: { key: 'oak', version: 1 } })
  const { id, key } = readEvent({ ...event, body }, table, 1)
  assert.deepEqual([id, key], [event.id, 'fern'])
})

test('fields that nobody knows are dropped from the data', () => {
  const body = JSON.stringify({ type: 'stock.changed', version: 1, data: { key: 'fern', version: 1, secret: 1 } })
  assert.deepEqual(readEvent({ ...event, body }, table, 1).data, { key: 'fern', version: 1 })
})

test('the error names where the record stands, and never what it holds', () => {
  const secret = placed(
    recordOf(changed({ key: 'fern', version: 1 }), { body: '{"type":"stock.changed","version":1,"data":"s3cret"}' }),
  )
  assert.throws(
    () => readEvent(secret, table, 1),
    (error) => codeIs('SAGA_EVENT_INVALID')(error) && !(error as Error).message.includes('s3cret'),
  )
  assert.throws(() => readEvent(placed(recordOf(changedV2({ key: 'fern', version: 1 }))), table, 1), {
    message: 'stock.changed at stock/3/7: version 2 is not known here; upgrade this service, then redrive the key',
  })
})

test('records sort into those that run and those that wait behind their key', () => {
  const record = (key: string, version: number, over: Partial<LogRecord> = {}): PlacedRecord =>
    placed(recordOf(changed({ key, version }), over), version)
  const records = [
    record('fern', 1),
    record('oak', 2),
    record('fern', 3, { body: '?' }),
    record('ash', 4),
    record('fern', 5),
    record('', 6, { body: '?' }),
    record('fern', 7, { body: '?' }),
  ]
  const sorted = sortRecords(records, new Set(['oak']), (one) => readEvent(one, table, 1))
  assert.deepEqual(
    {
      events: sorted.events.map(({ offset }) => offset),
      waiting: sorted.waiting.map(({ offset }) => offset),
      failed: sorted.failed.map(({ record: { offset } }) => offset),
      lost: sorted.lost,
    },
    { events: [1, 4], waiting: [2, 3, 5, 7], failed: [3], lost: 1 },
  )
})

test('with a failure all are parked, readable or not, with a key or without', () => {
  const records = [event, placed(recordOf(changed({ key: '', version: 2 })), 8)]
  const failure = new Error('no')
  const sorted = sortRecords(records, new Set(), (one) => readEvent(one, table, 1), failure)
  assert.deepEqual(
    sorted.failed,
    records.map((record) => ({ record, error: failure })),
  )
  assert.deepEqual([sorted.waiting, sorted.events, sorted.lost], [records, [], 0])
})
