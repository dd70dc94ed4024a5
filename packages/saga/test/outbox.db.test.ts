import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Database } from '../src/database.ts'
import { defineEvent } from '../src/event.ts'
import { migrate } from '../src/migrate.ts'
import { append, type OutboxRow, outboxLag } from '../src/outbox.ts'
import { transaction } from '../src/transaction.ts'
import { testDatabase } from '../../../test/support/postgres.ts'

type Listed = { name: string; n: number }
const listed = defineEvent({
  name: 'plant.listed',
  version: 1,
  topic: 'market',
  key: (data: Listed) => data.name,
  data: (value) => value as Listed,
})
const setUp = (t: TestContext): Promise<Database> =>
  testDatabase(t, {
    template: 'saga',
    migrate: (db) => migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) }),
  })
const rowsOf = (db: Database): Promise<OutboxRow[]> =>
  db.query<OutboxRow & { seq: number }>('select id, topic, key, type, body from saga.outbox order by seq')

test('events wait in the order in which they were appended, within a transaction and from one to the next', async (t) => {
  const db = await setUp(t)
  for (let batch = 0; batch < 3; batch++)
    await transaction(db, async (tx) => {
      for (let i = 0; i < 200; i++) append(tx, listed({ name: `plant ${i % 7}`, n: batch * 200 + i }))
    })
  const rows = await rowsOf(db)
  assert.deepEqual(
    rows.map(({ body }) => JSON.parse(body).data.n),
    Array.from({ length: 600 }, (_, n) => n),
  )
})

test('what waits is the envelope, as text, with what the relay needs beside it', async (t) => {
  const db = await setUp(t)
  const envelopes = await transaction(db, async (tx) =>
    ['', 'a,b', '{"x"}', `'"\\`, 'line\nbreak', '\u001e', 'NULL', 'žába 🐸'].map((name) =>
      append(tx, listed({ name, n: 0 }), { sagaType: 'listing', sagaId: name, traceparent: '00-trace' }),
    ),
  )
  const rows = await rowsOf(db)
  assert.deepEqual(
    rows,
    envelopes.map((envelope) => ({
      id: envelope.id,
      topic: 'market',
      key: envelope.key,
      type: 'plant.listed',
      body: JSON.stringify(envelope),
    })),
  )
  assert.equal(envelopes[4]!.key, 'line\nbreak')
  assert.equal(envelopes[4]!.sagaId, 'line\nbreak')
})

test('the lag is the age of the oldest event, and how many wait', async (t) => {
  const db = await setUp(t)
  assert.deepEqual(await outboxLag(db), { rows: 0, oldestMs: 0 })
  await transaction(db, async (tx) => {
    append(tx, listed({ name: 'fern', n: 0 }))
    append(tx, listed({ name: 'moss', n: 0 }))
  })
  await db.query(
    `update saga.outbox set appended_at = appended_at - interval '1 hour' where seq = (select min(seq) from saga.outbox)`,
  )
  const { rows, oldestMs } = await outboxLag(db)
  assert.equal(rows, 2)
  assert.ok(oldestMs >= 3_600_000 && oldestMs < 3_660_000, `${oldestMs} ms`)
})
