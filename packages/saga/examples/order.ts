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
  type SagaHooks,
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

// Here all run in one process; each could be one of its own, or several.
const url = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
const prefix = process.env.DATABASE_PREFIX ?? 'example'
await using running = new AsyncDisposableStack()
const cluster = running.adopt(createDatabase({ connectionString: url }), (db) => db.close())
const createOwnDatabase = async (name: string) => {
  await cluster.query(`drop database if exists ${prefix}_${name} with (force)`)
  await cluster.query(`create database ${prefix}_${name}`)
  const { href } = Object.assign(new URL(url), { pathname: `/${prefix}_${name}` })
  return running.adopt(createDatabase({ connectionString: href }), (db) => db.close())
}
const log = await createPostgresTransport({ db: await createOwnDatabase('log') })
const transport = running.adopt(log, () => log.close())
const startService = async (topic: string, reactions: Reaction[], hooks?: SagaHooks) => {
  const db = await createOwnDatabase(topic)
  await db.query('create table part (id uuid primary key, state text not null)')
  const sagas = hooks ? [{ definition: ordering, hooks }] : []
  const worker = createWorker({ topic, db, transport, partitions: 4, reactions, sagas, onError: console.error })
  await running.use(worker).start()
  return { db, sagas: worker.sagas }
}

const waiting = new Map<string, () => void>()
const ended: SagaHooks['completed'] = async (sagas, tx) => {
  tx.afterCommit(() => sagas.forEach(({ view }) => waiting.get(view.id)?.()))
}
const shop = await startService('order', [], { completed: ended, failed: ended })
const store = await startService('stock', [stock])
await startService('payment', [payment])

for (const amount of [20, 2_000]) {
  const orderId = randomUUID()
  const end = new Promise<void>((resolve) => waiting.set(orderId, resolve))
  await transaction(shop.db, async (tx) => {
    await tx.query(DO, [orderId])
    shop.sagas.start(tx, ordering, [{ id: orderId, ownerId: null, data: { orderId, amount } }])
  })
  await end
  console.log(`an order of ${amount}`)
  for (const { data } of await shop.sagas.source.page(orderId, 0, 100)) {
    const { version, status, steps } = JSON.parse(data) as SagaView
    const told = Object.entries(steps).map(([name, step]) => [name, step.status, step.reason].filter(Boolean).join(' '))
    console.log(`  ${version}  ${status.padEnd(12)}  ${told.join(', ')}`)
  }
}
const parts = await store.db.query<{ state: string }>('select state from part order by state')
console.log(`stock has ${parts.map(({ state }) => state).join(', ')}`)
