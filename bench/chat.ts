// Messages, rooms and histories over HTTP, against Pando in a process of its own: `npm run bench -- chat`.
import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@pando/saga'
import type { Connection } from './keep-alive.ts'
import { databaseOf, join, type Load, load, must, openAll, pick, type Someone, together } from './load.ts'
import { remove, startPando, temporaryFolder } from './pando.ts'
import { median, ms, quantile, rate, type Row, runs } from './row.ts'

const PREFIX = 'benchchat'
const ENV = { PASSWORD_HASH_MEMORY_KIB: '8', PASSWORD_HASH_PASSES: '1', DATABASE_PREFIX: PREFIX }
// 1,000 direct rooms, about thirty for each: a whole page of the list.
const PEOPLE = 67
const ROOMS = 1_000
const CONNECTIONS = 64
const REPEATS = 3
const SENDS = 10_000
const LISTS = 10_000
/** Messages a second, sent whether or not answers are late. */
const PACES = [500, 2_000]
const PACED_SECONDS = 10
const DEPTH = 1_000_000
const PAGES = 2_000

interface Place {
  roomId: string
  from: Someone
  to: Someone
}

export async function chat(clusterUrl: string): Promise<Row[]> {
  const folder = await temporaryFolder()
  const pando = await startPando(`${folder}/data`, { ...ENV, DATABASE_URL: clusterUrl })
  const connections = await openAll(pando.url, CONNECTIONS)
  try {
    const people = await together(connections, PEOPLE, (connection, i) => join(connection, i))
    const pairs = people.flatMap((from, i) => people.slice(i + 1).map((to) => ({ from, to })))
    // Spread, so that everybody has about as many.
    const chosen = pairs.filter(
      (_, i) => Math.floor((i * ROOMS) / pairs.length) !== Math.floor(((i - 1) * ROOMS) / pairs.length),
    )
    const rooms = await together(connections, chosen.length, (connection, i) => openRoom(connection, chosen[i]!))

    const sending: Load[] = []
    const caughtUp: number[] = []
    const listing: Load[] = []
    const paced: Delivery[][] = PACES.map(() => [])
    for (let i = 0; i < REPEATS; i++) {
      sending.push(await load(connections, SENDS, (connection) => send(connection, pick(rooms))))
      caughtUp.push(await toldAll(clusterUrl))
      listing.push(await load(connections, LISTS, (connection) => list(connection, pick(people))))
      for (const [j, perSecond] of PACES.entries())
        paced[j]!.push(await deliveries(pando.url, connections, people, rooms, perSecond))
      console.error(`chat, run ${i + 1}: ${JSON.stringify([sending.at(-1), caughtUp.at(-1), listing.at(-1)])}`)
    }
    const deep = rooms[0]!
    await fill(clusterUrl, deep)
    const history = await load(connections.slice(0, 1), PAGES, (connection) => page(connection, deep))
    const perSecond = (loads: readonly Load[]): number[] => loads.map((one) => one.perSecond)
    return [
      {
        what: `messages over HTTP, ${ROOMS.toLocaleString('en')} rooms, ${CONNECTIONS} at once`,
        value: rate(median(perSecond(sending))),
        target: '≥ 2,500/s',
        detail: `p99 ${ms(median(sending.map(({ p99 }) => p99)))}; all on the streams ${ms(median(caughtUp))} later; runs ${runs(perSecond(sending))}`,
      },
      ...PACES.map((perSecond, j) => pacedRow(perSecond, paced[j]!)),
      {
        what: 'room list, a page of 30',
        value: rate(median(perSecond(listing))),
        target: '≥ 3,000/s',
        detail: `p99 ${ms(median(listing.map(({ p99 }) => p99)))}; runs ${runs(perSecond(listing))}`,
      },
      {
        what: `history page of 30 at any depth of ${DEPTH.toLocaleString('en')} messages, p99`,
        value: ms(history.p99),
        target: '≤ 10 ms',
        detail: `p50 ${ms(history.p50)}`,
      },
    ]
  } finally {
    for (const connection of connections) connection.close()
    await pando.stop()
    await remove(folder)
  }
}

function pacedRow(perSecond: number, deliveries: readonly Delivery[]): Row {
  const of = (key: 'fromAnswer' | 'fromRequest', share: number): string =>
    ms(median(deliveries.map((one) => quantile(one[key], share))))
  const sum = (key: 'missing' | 'unsent'): number => deliveries.reduce((total, one) => total + one[key], 0)
  return {
    what: `answer to the recipient's stream, ${perSecond.toLocaleString('en')}/s, p99`,
    value: of('fromAnswer', 0.99),
    ...(perSecond === PACES[0] && { target: '≤ 50 ms' }),
    detail: `p50 ${of('fromAnswer', 0.5)}, p99.9 ${of('fromAnswer', 0.999)}; from the request p99 ${of('fromRequest', 0.99)}; missing ${sum('missing')}, not sent for want of a connection ${sum('unsent')}`,
  }
}

async function openRoom(connection: Connection, { from, to }: Omit<Place, 'roomId'>): Promise<Place> {
  const body = JSON.stringify({ type: 'direct', userId: to.id })
  return { roomId: JSON.parse(await must(connection, 201, 'POST', '/api/rooms', from.token, body)).id, from, to }
}

async function send(
  connection: Connection,
  { roomId, from }: Place,
  clientMessageId: string = randomUUID(),
): Promise<void> {
  const body = JSON.stringify({ clientMessageId, text: 'Is the monstera still there? I could come on Saturday.' })
  await must(connection, 201, 'POST', `/api/rooms/${roomId}/messages`, from.token, body)
}

const list = (connection: Connection, { token }: Someone): Promise<string> =>
  must(connection, 200, 'GET', '/api/rooms', token)

const page = (connection: Connection, { roomId, from }: Place): Promise<string> =>
  must(
    connection,
    200,
    'GET',
    `/api/rooms/${roomId}/messages?before=${1 + Math.ceil(Math.random() * DEPTH)}`,
    from.token,
  )

/** How long it takes from now on until everybody has been told of every message. */
async function toldAll(clusterUrl: string): Promise<number> {
  const from = performance.now()
  const [chatDb, told] = ['chat', 'notification'].map((name) => databaseOf(clusterUrl, PREFIX, name)) as [
    Database,
    Database,
  ]
  try {
    const [sent] = await chatDb.query<{ count: number }>('select 2 * count(*) as count from chat.message')
    for (;;) {
      const [seen] = await told.query<{ count: number }>(
        `select count(*) as count from saga.stream_event where type = 'message.created'`,
      )
      if (seen!.count >= sent!.count) return performance.now() - from
      await sleep(20)
    }
  } finally {
    await Promise.all([chatDb.close(), told.close()])
  }
}

interface Delivery {
  fromAnswer: number[]
  fromRequest: number[]
  /** Sent and answered, and not on the stream. */
  missing: number
  /** Not sent: all connections waited for an answer. */
  unsent: number
}

/** Sends at an even pace, whether or not answers are late, and takes the time until the recipient's stream has each message. */
async function deliveries(
  url: string,
  connections: readonly Connection[],
  people: readonly Someone[],
  rooms: readonly Place[],
  perSecond: number,
): Promise<Delivery> {
  const came = new Map<string, number>()
  const streams = await Promise.all(people.map(({ id, token }) => follow(url, token, (text) => note(text, id, came))))
  const asked = new Map<string, { began: number; answered: number; to: string }>()
  const free = [...connections]
  const under: Promise<void>[] = []
  const from = performance.now()
  for (let i = 0; i < perSecond * PACED_SECONDS; i++) {
    const due = from + (i * 1000) / perSecond
    while (performance.now() < due) await sleep(1)
    const connection = free.pop()
    if (!connection) continue
    const place = pick(rooms)
    const clientMessageId = randomUUID()
    under.push(
      send(connection, place, clientMessageId).then(() => {
        asked.set(clientMessageId, { began: due, answered: performance.now(), to: place.to.id })
        free.push(connection)
      }),
    )
  }
  await Promise.all(under)
  const keys = [...asked].map(([id, { to, ...times }]) => ({ key: `${to} ${id}`, ...times }))
  for (let i = 0; i < 500 && keys.some(({ key }) => !came.has(key)); i++) await sleep(10)
  for (const stream of streams) stream.destroy()
  const there = keys.filter(({ key }) => came.has(key))
  return {
    fromAnswer: there.map(({ key, answered }) => Math.max(0, came.get(key)! - answered)),
    fromRequest: there.map(({ key, began }) => came.get(key)! - began),
    missing: keys.length - there.length,
    unsent: perSecond * PACED_SECONDS - keys.length,
  }
}

/** Resolves with the first bytes; `hear` gets whole events. */
function follow(url: string, token: string, hear: (text: string) => void): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    socket.write(`GET /api/stream HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\n\r\n`)
    socket.setEncoding('latin1').on('error', reject)
    let rest = ''
    socket.on('data', (text: string) => {
      resolve(socket)
      const end = (rest + text).lastIndexOf('\n\n') + 2
      hear((rest + text).slice(0, end))
      rest = (rest + text).slice(end)
    })
  })
}

function note(text: string, userId: string, came: Map<string, number>): void {
  const now = performance.now()
  for (const [, id] of text.matchAll(/"clientMessageId":"([0-9a-f-]{36})"/g)) came.set(`${userId} ${id}`, now)
}

/** Makes the room's history deep, by SQL. */
async function fill(clusterUrl: string, { roomId, from }: Place): Promise<void> {
  const db = databaseOf(clusterUrl, PREFIX, 'chat')
  try {
    await db.query(
      `insert into chat.message (room_id, seq, sender_id, sender_name, kind, text, client_message_id, created_at)
       select $1, r.last_seq + g, $2, 'Person', 'text', 'message number ' || g, gen_random_uuid(), now()
       from chat.room r, generate_series(1, ${DEPTH}::bigint) g where r.id = $1`,
      [roomId, from.id],
    )
    await db.query(`update chat.room set last_seq = last_seq + ${DEPTH} where id = $1`, [roomId])
  } finally {
    await db.close()
  }
}
