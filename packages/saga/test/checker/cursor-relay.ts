import type { Database, Transport } from '../../src/index.ts'
import { createBell, createLoop, type Running } from '../../src/loop.ts'
import type { LogRecord } from '../../src/transport.ts'

/** A wrong relay: it remembers how far it has read, and so never sees what is committed behind that. */
export function createCursorRelay(
  db: Database,
  transport: Transport,
  batch: number,
): Running & { emptyLooks: () => number } {
  const bell = createBell()
  let last = 0
  let emptyLooks = 0
  const loop = createLoop({
    bell,
    onError: () => {},
    async turn() {
      const rows = await db.query<LogRecord & { seq: number }>(
        'select seq, id, topic, key, type, body from saga.outbox where seq > $1 order by seq limit $2',
        [last, batch],
      )
      await transport.publish(rows)
      last = rows.at(-1)?.seq ?? last
      if (rows.length > 0) return
      emptyLooks++
      await bell.wait(5)
    },
  })
  return { ...loop, emptyLooks: () => emptyLooks }
}
