import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  append,
  createMemoryLog,
  createMemoryTransport,
  createWorker,
  on,
  type Operation,
  type Reaction,
  type Subject,
  type Trace,
  transaction,
} from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { changed, counted, heardOf, hearing, PARTITIONS, prepareStock } from './stock.ts'
import { until } from './until.ts'

interface Recorded {
  operation: Operation
  subject: Subject
  traceparent: string
  ended: boolean
  error?: Error | undefined
}

/** A tracing library that remembers: contexts are the parent's with a number behind them, those of `quiet` are not recorded. */
function recorder() {
  const spans: Recorded[] = []
  const trace: Trace = {
    begin(operation, subject) {
      if (subject.traceparent.startsWith('quiet')) return undefined
      const span: Recorded = {
        operation,
        subject,
        traceparent: `${subject.traceparent}.${spans.length + 1}`,
        ended: false,
      }
      spans.push(span)
      return {
        traceparent: span.traceparent,
        end(error) {
          span.ended = true
          span.error = error
        },
      }
    },
  }
  return { trace, spans }
}

async function setUp(t: TestContext, reactions: readonly Reaction[]) {
  const db = await testDatabase(t, { template: 'stock', migrate: prepareStock })
  const transport = createMemoryTransport({ shared: createMemoryLog() })
  const { trace, spans } = recorder()
  const worker = createWorker({ topic: 'stock', db, transport, partitions: PARTITIONS, reactions, trace })
  t.after(async () => {
    await worker.stop()
    await transport.close()
  })
  const publish = (...traces: (string | undefined)[]): Promise<void> =>
    transaction(db, async (tx) => {
      traces.forEach((traceparent, i) => append(tx, changed({ key: `k${i}`, version: 1 }), { traceparent }))
    })
  const told = (): string[] =>
    spans.map(({ operation, subject, ended, error }) =>
      [operation, subject.type, subject.traceparent, !ended && 'open', error?.message].filter(Boolean).join(' '),
    )
  return { db, transport, worker, spans, publish, told }
}

test('each event has its span, in its own trace, also when many are handled in one go', async (t) => {
  const answers = new Set<string | undefined>()
  const answering = on(
    [changed],
    async (events, tx) => {
      for (const event of events) answers.add(append(tx, counted(event.data), { causedBy: event }).traceparent)
    },
    { emits: [counted] },
  )
  const { db, worker, publish, spans, told } = await setUp(t, [answering, hearing([counted], () => {})])
  await publish('a', undefined, 'b', 'quiet')
  await worker.start()
  await until('all answers are heard', async () => (await heardOf(db)).length === 4)
  await until('all spans have ended', () => spans.length === 8 && spans.every(({ ended }) => ended))
  assert.deepEqual(told(), [
    'publish stock.changed a',
    'publish stock.changed b',
    'react stock.changed a',
    'react stock.changed b',
    'publish stock.counted a.3',
    'publish stock.counted b.4',
    'react stock.counted a.3',
    'react stock.counted b.4',
  ])
  assert.deepEqual(answers, new Set(['a.3', 'b.4', 'quiet', undefined]))
  const { topic, partition, offset, tries } = spans[2]!.subject
  assert.deepEqual([topic, typeof partition, typeof offset, tries], ['stock', 'number', 'number', 1])
})

test('a reaction that fails ends its spans with the error, every time; one that is sent again has one more', async (t) => {
  let isBroken = true
  const failing = hearing([changed], () => {
    if (isBroken) throw new Error('broken')
  })
  const { worker, publish, told } = await setUp(t, [failing])
  await publish('a')
  await worker.start()
  await until('it is parked', () => worker.consumer.stats().parked === 1)
  const failed = told().slice(1)
  assert.ok(failed.length >= 4, String(failed))
  assert.deepEqual(new Set(failed), new Set(['react stock.changed a broken']))
  isBroken = false
  await worker.consumer.redrive('k0')
  assert.deepEqual(told().slice(failed.length + 1), ['react stock.changed a'])
})

test('a span of a reaction ends with the commit, and fails with it', async (t) => {
  let isFirst = true
  const losing = on([changed], async (_events, tx) => {
    if (!isFirst) return
    isFirst = false
    // Its connection is lost when its reaction is done already.
    tx.send('select pg_terminate_backend(pg_backend_pid())', [])
  })
  const { worker, publish, spans } = await setUp(t, [losing])
  await publish('a')
  await worker.start()
  await until('it is done', () => worker.consumer.stats().consumed === 1)
  const reacted = spans.filter(({ operation }) => operation === 'react')
  assert.equal(reacted.length, 2)
  assert.ok(reacted[0]!.error)
  assert.equal(reacted[1]!.error, undefined)
})

test('an envelope that is none does not keep the relay from its work', async (t) => {
  const { db, worker, told } = await setUp(t, [])
  await db.query(
    `insert into saga.outbox (id, topic, key, type, body)
     select gen_random_uuid(), 'stock', 'k', 'stock.changed', body from unnest($1::text[]) body`,
    [['{', 'null', JSON.stringify({ traceparent: 7 })]],
  )
  await worker.start()
  await until('all are published', () => worker.relay.stats().published === 3)
  assert.deepEqual(told(), [])
})
