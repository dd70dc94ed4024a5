// A post is deleted that many have talked about, while others go on talking.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SagaView } from '@pando/saga'
import { until } from '../test/support/until.ts'
import type { Connection } from './keep-alive.ts'
import { databaseOf, must, type Someone, together } from './load.ts'
import { quantile } from './row.ts'

export interface CascadeSize {
  rooms: number
  messagesInEach: number
  /** Sends to other rooms while it goes on, and for so long before. */
  perSecond: number
  secondsBefore: number
}

export interface Cascade {
  seconds: number
  before: Phase
  during: Phase
}

interface Phase {
  p50: number
  p99: number
  sent: number
  /** The most that Pando's process had; undefined where that cannot be seen. */
  mib: number | undefined
}

export interface Target {
  clusterUrl: string
  prefix: string
  pando: { url: string; pid: number }
  connections: readonly Connection[]
  /** The first is the seller; there is one more for each room. */
  people: readonly Someone[]
}

const OTHER_ROOMS = 200
const PATIENCE_MS = 600_000

/** Throws when anything of the post is left, or more is gone. */
export async function cascade(target: Target, size: CascadeSize): Promise<Cascade> {
  const { pando, connections, people } = target
  const seller = people[0]!
  const postId = await offer(connections[0]!, seller)
  await together(connections, size.rooms, (connection, i) =>
    openRoom(connection, people[i + 1]!, { type: 'trade', postId }),
  )
  await fill(target, postId, size)
  console.error(`market: ${size.rooms} rooms with ${size.messagesInEach} messages each are there`)
  const others = await together(connections, Math.min(OTHER_ROOMS, people.length - 2), async (connection, i) => {
    const from = people[i + 1]!
    return { from, roomId: await openRoom(connection, from, { type: 'direct', userId: people[i + 2]!.id }) }
  })
  // What the filling has led to is over.
  await until(
    'the seller is told of all rooms',
    async () =>
      JSON.parse(await must(connections[0]!, 200, 'GET', '/api/notifications/summary', seller.token)).unread >=
      size.rooms,
    PATIENCE_MS,
  )
  const send = (connection: Connection, i: number): Promise<string> => {
    const { from, roomId } = others[i % others.length]!
    const body = JSON.stringify({ clientMessageId: randomUUID(), text: 'I could come on Saturday.' })
    return must(connection, 201, 'POST', `/api/rooms/${roomId}/messages`, from.token, body)
  }
  const phase = (isOver: () => boolean): Promise<Phase> => measured(target, size.perSecond, isOver, send)

  const end = performance.now() + size.secondsBefore * 1000
  const before = await phase(() => performance.now() > end)
  let isOver = false
  const [during, seconds] = await Promise.all([
    phase(() => isOver),
    deletion(pando.url, seller, postId, size).finally(() => (isOver = true)),
  ])
  await assertGone(target, postId)
  return { seconds, before, during }
}

/** Puts up a post; resolves with its id. */
export async function offer(connection: Connection, { token }: Someone): Promise<string> {
  const body = JSON.stringify({ title: 'Monstera', content: 'A plant that many want.', price: 1_000, imageIds: [] })
  return JSON.parse(await must(connection, 201, 'POST', '/api/posts', token, body)).id
}

async function openRoom(connection: Connection, { token }: Someone, room: object): Promise<string> {
  return JSON.parse(await must(connection, 201, 'POST', '/api/rooms', token, JSON.stringify(room))).id
}

async function fill({ clusterUrl, prefix }: Target, postId: string, { messagesInEach }: CascadeSize): Promise<void> {
  const db = databaseOf(clusterUrl, prefix, 'chat')
  try {
    await db.query(
      `insert into chat.message (room_id, seq, sender_id, sender_name, kind, text, client_message_id, created_at)
       select r.id, g, r.buyer_id, 'Person', 'text', 'message number ' || g, gen_random_uuid(), now()
       from chat.room r, generate_series(1, $2::int) g where r.post_id = $1`,
      [postId, messagesInEach],
    )
    await db.query('update chat.room set last_seq = $2 where post_id = $1', [postId, messagesInEach])
    await db.query('analyze chat.message')
  } finally {
    await db.close()
  }
}

/** Sends at an even pace until it is over; the time of each runs from when it was due, late answers or not. */
async function measured(
  { pando, connections }: Target,
  perSecond: number,
  isOver: () => boolean,
  send: (connection: Connection, i: number) => Promise<unknown>,
): Promise<Phase> {
  const times: number[] = []
  let mib = mibOf(pando.pid)
  let next = 0
  const from = performance.now()
  async function run(connection: Connection): Promise<void> {
    while (!isOver()) {
      const i = next++
      const due = from + (i * 1000) / perSecond
      if (due > performance.now()) await sleep(due - performance.now())
      const began = Math.min(due, performance.now())
      await send(connection, i)
      times.push(performance.now() - began)
    }
  }
  async function watch(): Promise<void> {
    while (mib !== undefined && !isOver()) {
      await sleep(100)
      mib = Math.max(mib, mibOf(pando.pid) ?? 0)
    }
  }
  await Promise.all([...connections.map(run), watch()])
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), sent: times.length, mib }
}

/** What the process has in memory. Linux only. */
function mibOf(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Seconds from the request until the saga has completed. */
async function deletion(
  url: string,
  { token }: Someone,
  postId: string,
  { rooms, messagesInEach }: CascadeSize,
): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  const from = performance.now()
  const response = await fetch(`${url}/api/posts/${postId}`, { method: 'DELETE', headers })
  if (response.status !== 202) throw new Error(`DELETE of the post: ${response.status} ${await response.text()}`)
  const path = `${url}${response.headers.get('location')}`
  // Its stream ends with the saga.
  await (await fetch(`${path}/events`, { headers })).text()
  const seconds = (performance.now() - from) / 1000
  const { status, steps } = (await (await fetch(path, { headers })).json()) as SagaView
  const found = JSON.stringify({ status, ...steps.chat?.detail })
  const expected = JSON.stringify({ status: 'completed', rooms, messages: rooms * messagesInEach })
  if (found !== expected) throw new Error(`the deletion ended as ${found}, not as ${expected}`)
  return seconds
}

async function assertGone({ clusterUrl, prefix }: Target, postId: string): Promise<void> {
  const db = databaseOf(clusterUrl, prefix, 'chat')
  try {
    const [left] = await db.query<{ rooms: number; messages: number }>(
      `select (select count(*) from chat.room where post_id = $1) as rooms,
              (select count(*) from chat.message where text like 'message number %') as messages`,
      [postId],
    )
    if (left!.rooms + left!.messages > 0) throw new Error(`of the deleted post there is left: ${JSON.stringify(left)}`)
  } finally {
    await db.close()
  }
}
