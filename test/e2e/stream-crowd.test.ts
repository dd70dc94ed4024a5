// Many streams of users: they hold no connection to the database, disturb nobody, and leave nothing when they go.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { friendAdded, say } from '../support/chat-events.ts'
import { Client, type EventStream } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const STREAMS = 1_000
const EACH = 6
const CHURN = 500
const PER_SECOND = 200

const system = await startSystem({ after })
const service = system.services.find(({ name }) => name === 'notification')!
const chat = system.services.find(({ name }) => name === 'chat')!.db
const crowd: Person[] = []

before(async () => {
  while (crowd.length * EACH < STREAMS)
    crowd.push(...(await Promise.all(Array.from({ length: 20 }, () => person(system.url)))))
})

async function open({ token }: Person): Promise<EventStream> {
  const stream = await new Client(system.url, { token }).stream('/api/stream')
  return stream.until('the first bytes', ({ retry }) => retry !== undefined)
}
/** Asks for a stream and is gone within 30 ms, be there an answer or not. */
async function cutSoon({ token }: Person): Promise<void> {
  const { hostname, port } = new URL(system.url)
  const socket = connect(Number(port), hostname).on('error', () => {})
  socket.write(`GET /api/stream HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\n\r\n`)
  await delay(Math.random() * 30)
  socket.destroy()
}
async function openMany(count: number): Promise<EventStream[]> {
  const streams: EventStream[] = []
  for (let i = 0; i < count; i += 50)
    streams.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(50, count - i) }, (_, n) => open(crowd[(i + n) % crowd.length]!)),
      )),
    )
  return streams
}
/** Of the service's pool, and of all it opens beside. */
async function connections(): Promise<number> {
  const rows = await system.databases.notification.query(
    `select from pg_stat_activity where application_name = 'pando notification' and datname = current_database()`,
  )
  return rows.length
}
async function medianOf(count: number, ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await ask()
    times.push(performance.now() - from)
  }
  return times.toSorted((a, b) => a - b)[count >> 1]!
}
const nothingIsLeft = (): Promise<unknown> =>
  until('nothing is left', () => {
    const { written: _, ...counts } = system.hub.stats()
    return Object.values(counts).every((count) => count === 0)
  })
const onlineHere = async (): Promise<string | undefined> =>
  /^pando_users_online\{service="notification"\} (\d+)$/m.exec(
    (await new Client(system.metricsUrl!).get('/metrics')).text,
  )?.[1]

test(`${STREAMS} open streams on a pool of 5: no connection more, ordinary requests as fast, and all are told`, async (t) => {
  const asker = crowd[0]!
  const ask = async (): Promise<void> =>
    assert.equal((await asker.client.get('/api/notifications?limit=1')).status, 200)
  await medianOf(50, ask)
  const before = {
    connections: await connections(),
    median: await medianOf(200, ask),
    leases: service.db.stats().leases,
  }
  assert.ok(before.connections >= 1 && before.connections <= 7, String(before.connections))
  const streams = await openMany(STREAMS)
  await until('all are live', () => {
    const { open, catching } = system.hub.stats()
    return open === STREAMS && catching === 0
  })
  const opened = service.db.stats().leases - before.leases
  assert.ok(opened < STREAMS / 5, `${opened} transactions for ${STREAMS} streams`)
  assert.equal(await onlineHere(), String(crowd.length))
  const { total, idle, waiting } = service.db.stats()
  assert.deepEqual([idle, waiting, total <= 5], [total, 0, true])
  const median = await medianOf(200, ask)
  assert.ok(median < 3 * before.median + 20, `${before.median} ms before, ${median} ms then`)
  assert.ok((await connections()) <= Math.max(before.connections, 7))
  t.diagnostic(`${before.median.toFixed(2)} ms before, ${median.toFixed(2)} ms then; ${opened} transactions`)

  await say(chat, ...crowd.map((who, i) => friendAdded(crowd[(i + 1) % crowd.length]!, who)))
  for (const stream of streams)
    await stream.until('its notification', ({ events }) => events.some(({ event }) => event === 'notification.created'))
  for (const stream of streams) stream.close()
  await nothingIsLeft()
  assert.equal(await onlineHere(), '0')
})

test(`${CHURN} streams that are opened and closed, ${PER_SECOND} a second, leave nothing`, async () => {
  const closing: Promise<void>[] = []
  for (let i = 0; i < CHURN; i++) {
    const who = crowd[i % crowd.length]!
    // Cut at any moment: before there is an answer, or a little after its first bytes.
    closing.push(
      i % 2 === 0 ? cutSoon(who) : open(who).then((stream) => delay(Math.random() * 100).then(() => stream.close())),
    )
    await delay(1_000 / PER_SECOND)
  }
  await Promise.all(closing)
  await nothingIsLeft()
  assert.equal(await onlineHere(), '0')
  // The presence of all comes to rest as well.
  await until(
    'nobody is there',
    async () => {
      const [row] = await system.databases.notification.query<{ open: number; online: number }>(
        `select (select count(*) from notification.presence) as open,
                (select count(*) from notification.online where online) as online`,
      )
      return row!.open === 0 && row!.online === 0
    },
    30_000,
  )
})
