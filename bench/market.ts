// The market over HTTP, against Pando in a process of its own: `npm run bench -- market`.
import { cascade, type CascadeSize, offer, type Target } from './cascade.ts'
import type { Connection } from './keep-alive.ts'
import { databaseOf, join, must, openAll, type Someone, together } from './load.ts'
import { remove, startPando, temporaryFolder } from './pando.ts'
import { fillPosts, list, search, SEARCHES } from './posts.ts'
import { median, ms, rate, type Row, runs } from './row.ts'

const PREFIX = 'benchmarket'
const ENV = { PASSWORD_HASH_MEMORY_KIB: '8', PASSWORD_HASH_PASSES: '1', DATABASE_PREFIX: PREFIX }
const CONNECTIONS = 64
const REPEATS = 3

export interface MarketSize {
  cascade: CascadeSize
  /** At once, of one post. */
  wishes: number
  posts: number
  /** For each word. */
  searches: number
  /** Pages of each order. */
  pages: number
}

const FULL: MarketSize = {
  cascade: { rooms: 1_000, messagesInEach: 1_000, perSecond: 500, secondsBefore: 10 },
  wishes: 1_000,
  posts: 200_000,
  searches: 500,
  pages: 5_000,
}

export async function market(clusterUrl: string, size: MarketSize = FULL): Promise<Row[]> {
  const folder = await temporaryFolder()
  const pando = await startPando(`${folder}/data`, { ...ENV, DATABASE_URL: clusterUrl })
  const connections = await openAll(pando.url, CONNECTIONS)
  try {
    const count = 1 + Math.max(size.cascade.rooms, size.wishes)
    const people = await together(connections, count, (connection, i) => join(connection, i))
    console.error(`market: ${count} people are there`)
    const target: Target = { clusterUrl, prefix: PREFIX, pando, connections, people }
    return [
      ...(await cascadeRows(target, size.cascade)),
      await wishRow(target, size.wishes),
      ...(await postRows(target, size)),
    ]
  } finally {
    for (const connection of connections) connection.close()
    await pando.stop()
    await remove(folder)
  }
}

async function cascadeRows(target: Target, size: CascadeSize): Promise<Row[]> {
  const { seconds, before, during } = await cascade(target, size)
  console.error(`market, cascade: ${JSON.stringify({ seconds, before, during })}`)
  const [rooms, messages] = [size.rooms, size.rooms * size.messagesInEach].map((one) => one.toLocaleString('en'))
  return [
    {
      what: `deleting a post with ${rooms} rooms and ${messages} messages, until its saga has completed`,
      value: `${seconds.toFixed(1)} s`,
      target: '≤ 30 s',
      detail: `beside ${size.perSecond}/s sent to other rooms`,
    },
    {
      what: 'p99 of those meanwhile',
      value: ms(during.p99),
      target: '< 3 × before',
      detail: `${(during.p99 / before.p99).toFixed(1)} ×; before ${ms(before.p99)}; p50 ${ms(during.p50)}, before ${ms(before.p50)}; ${during.sent} sent in ${seconds.toFixed(1)} s`,
    },
    ...(before.mib === undefined || during.mib === undefined
      ? []
      : [
          {
            what: 'memory that the process had more than before, at most',
            value: `${Math.max(0, during.mib - before.mib).toFixed(0)} MiB`,
            target: 'flat',
            detail: `${before.mib.toFixed(0)} MiB before, ${during.mib.toFixed(0)} MiB meanwhile`,
          },
        ]),
  ]
}

async function wishRow({ pando, people }: Target, count: number): Promise<Row> {
  const connections = await openAll(pando.url, count)
  try {
    const seconds: number[] = []
    for (let i = 0; i < REPEATS; i++) seconds.push(await wishAll(connections, people))
    console.error(`market, wishes: ${seconds.join(' ')} s`)
    return {
      what: `${count.toLocaleString('en')} wishes of one post at once, until all are answered`,
      value: `${median(seconds).toFixed(2)} s`,
      detail: `the counter is exact; runs ${runs(seconds, 2)}`,
    }
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** Everybody but the seller wishes for the post. Throws when the counter is not exactly so many. */
async function wishAll(connections: readonly Connection[], people: readonly Someone[]): Promise<number> {
  const [seller, ...others] = people as [Someone, ...Someone[]]
  const postId = await offer(connections[0]!, seller)
  const from = performance.now()
  await together(connections, connections.length, (connection, i) =>
    must(connection, 204, 'PUT', `/api/posts/${postId}/wish`, others[i]!.token),
  )
  const seconds = (performance.now() - from) / 1000
  const { wishes } = JSON.parse(await must(connections[0]!, 200, 'GET', `/api/posts/${postId}`, seller.token))
  if (wishes !== connections.length) throw new Error(`${connections.length} wishes are counted as ${wishes}`)
  return seconds
}

async function postRows({ clusterUrl, pando, people }: Target, size: MarketSize): Promise<Row[]> {
  const db = databaseOf(clusterUrl, PREFIX, 'market')
  try {
    await fillPosts(db, people, size.posts)
  } finally {
    await db.close()
  }
  const { token } = people[0]!
  const rows: Row[] = []
  // Each part opens its own: one that was idle during another is ended by the server.
  const [connection] = await openAll(pando.url, 1)
  for (const frequency of Object.keys(SEARCHES) as (keyof typeof SEARCHES)[]) {
    const found = await search(connection!, frequency, { count: size.searches, token })
    rows.push({
      what: `search of two characters over ${size.posts.toLocaleString('en')} posts, ${frequency}, p99`,
      value: ms(Math.max(...found.map(({ load: { p99 } }) => p99))),
      detail: found.map(({ word, load: { p50, p99 } }) => `\`${word}\` p99 ${ms(p99)}, p50 ${ms(p50)}`).join('; '),
    })
    console.error(`market, search: ${JSON.stringify(rows.at(-1))}`)
  }
  connection!.close()
  for (const sort of ['latest', 'price', 'popular']) {
    const connections = await openAll(pando.url, CONNECTIONS)
    const { perSecond, p99 } = await list(connections, sort, { count: size.pages, token })
    rows.push({
      what: `list of posts by ${sort}, page after page, ${CONNECTIONS} at once`,
      value: rate(perSecond),
      detail: `p99 ${ms(p99)}`,
    })
    console.error(`market, list: ${JSON.stringify(rows.at(-1))}`)
    for (const connection of connections) connection.close()
  }
  return rows
}
