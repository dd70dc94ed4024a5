// An order needs goods and money: stock is reserved, then paid for, and released again when nobody pays. Three services with a database
// each, and none in command. DATABASE_URL: a PostgreSQL (15 or newer) whose role may create databases.
import { randomUUID } from 'node:crypto'
import {
  append,
  createDatabase,
  createPostgresTransport,
  createWorker,
  defineEvent,
  defineSaga,
  each,
  on,
  type Reaction,
  type SagaView,
  transaction,
} from '@pando/saga'

// What is said, in past tense. `data` checks it: a function (this one trusts) or a schema of zod, valibot, arktype, …
type Order = { orderId: string; amount: number }
type Refused = Order & { reason: string }
const key = (order: Order) => order.orderId
const event = <Data extends Order = Order>(name: string) =>
  defineEvent({ name, version: 1, topic: name.split('.')[0]!, key, data: (it) => it as Data })
const placed = event('order.placed')
const confirmed = event('order.confirmed')
const cancelled = event<Refused>('order.cancelled')
const reserved = event('stock.reserved')
const soldOut = event<Refused>('stock.sold-out')
const released = event('stock.released')
const paid = event('payment.made')
const declined = event<Refused>('payment.declined')
const refunded = event('payment.refunded')

// What belongs together: who must answer what, and by when.
const ordering = defineSaga({
  type: 'ordering',
  starts: placed,
  deadlineMs: 30_000,
  own: 'order',
  steps: {
    stock: { done: reserved, failed: soldOut, undone: released },
    payment: { done: paid, failed: declined, undone: refunded },
  },
  completes: confirmed,
  fails: cancelled,
})

// What the participants do: a row and an answer, in one transaction. A failure that comes first leaves its row in a late start's way.
const DO = `insert into part values ($1, 'done') on conflict do nothing returning id`
const UNDO = `insert into part values ($1, 'undone') on conflict (id) do update set state = 'undone'`

const stock = on(
  [placed, cancelled],
  each(async (event, tx) => {
    const [made] = await tx.query(event.type === placed.type ? DO : UNDO, [event.data.orderId])
    if (event.type === cancelled.type) append(tx, released(event.data), { causedBy: event })
    else if (made) append(tx, reserved(event.data), { causedBy: event })
  }),
  { emits: [reserved, released] },
)
const payment = on(
  [reserved, cancelled],
  each(async (event, tx) => {
    const tooMuch = event.type === reserved.type && event.data.amount > 1_000
    if (tooMuch) return void append(tx, declined({ ...event.data, reason: 'too_expensive' }), { causedBy: event })
    const [made] = await tx.query(event.type === reserved.type ? DO : UNDO, [event.data.orderId])
    if (event.type === cancelled.type) append(tx, refunded(event.data), { causedBy: event })
    else if (made) append(tx, paid(event.data), { causedBy: event })
  }),
  { emits: [paid, declined, refunded] },
)

// Here they all run in one process; each could be one, or several.
const cluster = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
const prefix = process.env.DATABASE_PREFIX ?? 'example'
await using running = new AsyncDisposableStack()
const admin = running.adopt(createDatabase({ connectionString: cluster }), (db) => db.close())
const createOwnDatabase = async (name: string) => {
  await admin.query(`drop database if exists ${prefix}_${name} with (force)`)
  await admin.query(`create database ${prefix}_${name}`)
  const { href } = Object.assign(new URL(cluster), { pathname: `/${prefix}_${name}` })
  return running.adopt(createDatabase({ connectionString: href }), (db) => db.close())
}
const transport = running.adopt(await createPostgresTransport({ db: await createOwnDatabase('log') }), (log) => log.close())
const startService = async (topic: string, reactions: Reaction[], sagas: Parameters<typeof createWorker>[0]['sagas'] = []) => {
  const db = await createOwnDatabase(topic)
  await db.query('create table part (id uuid primary key, state text not null)')
  const worker = createWorker({ topic, db, transport, partitions: 4, reactions, sagas, onError: console.error })
  await running.use(worker).start()
  return { db, sagas: worker.sagas }
}
