import { randomUUIDv7 } from 'node:crypto'
import { createDatabase, createRelay, migrate, transaction } from '@pando/saga'
import { median, rate, type Row, runs } from './row.ts'

const EVENTS = 200_000
const AT_ONCE = 5_000
const REPEATS = 3

/** How fast one relay empties an outbox into a log that takes everything at once. */
export async function relay(clusterUrl: string): Promise<Row[]> {
  const admin = createDatabase({ connectionString: clusterUrl, max: 1 })
  await admin.query('drop database if exists bench_relay with (force)')
  await admin.query('create database bench_relay')
  const url = Object.assign(new URL(clusterUrl), { pathname: '/bench_relay' }).href
  const db = createDatabase({ connectionString: url })
  try {
    await migrate(db, { schema: 'saga', directory: new URL('../packages/saga/sql/service/', import.meta.url) })
    const perSecond: number[] = []
    for (let i = 0; i < REPEATS; i++) {
      await fill(db)
      perSecond.push(EVENTS / (await drain(db)))
    }
    return [
      {
        what: `relay drain, ${EVENTS.toLocaleString('en')} events, null transport`,
        value: rate(median(perSecond)),
        target: '≥ 100,000/s',
        detail: `runs ${runs(perSecond)}`,
      },
    ]
  } finally {
    await db.close()
    await admin.close()
  }
}

async function fill(db: ReturnType<typeof createDatabase>): Promise<void> {
  for (let i = 0; i < EVENTS; i += AT_ONCE)
    await transaction(db, async (tx) => {
      for (let n = i; n < i + AT_ONCE; n++) {
        const id = randomUUIDv7()
        const body = JSON.stringify({
          id,
          type: 'user.registered',
          version: 1,
          key: `user ${n % 1000}`,
          data: { userId: id },
        })
        tx.outbox.push({ id, topic: 'user', key: `user ${n % 1000}`, type: 'user.registered', body })
      }
    })
}

/** Seconds from the start of a relay until the outbox is empty. */
async function drain(db: ReturnType<typeof createDatabase>): Promise<number> {
  let published = 0
  const done = Promise.withResolvers<void>()
  const relay = createRelay({
    db,
    transport: {
      async publish(records) {
        published += records.length
        if (published >= EVENTS) done.resolve()
      },
    },
  })
  const from = performance.now()
  relay.start()
  await done.promise
  const seconds = (performance.now() - from) / 1000
  await relay.stop()
  return seconds
}
