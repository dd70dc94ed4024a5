// People who sell and buy: posts come and go, with rooms, messages and wishes of whoever is interested.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { RoomView } from '@pando/events/views'
import type { Queryable, SagaView } from '@pando/saga'
import type { Random } from '@pando/saga/testing'
import { type Caller, createCallers } from './callers.ts'
import type { Answer } from './client.ts'
import { type Guest, guestOf } from './load.ts'
import type { Post } from './posts.ts'
import type { Scope } from './postgres.ts'

const SELLERS = 2
const BUYERS = 3

/** What was answered about a post. */
interface Offer {
  readonly id: string
  readonly seller: Caller
  readonly rooms: Map<string, Caller>
  messages: number
  isDeleted: boolean
}

export interface MarketLoad {
  /** The traders, as the oracle knows people. */
  readonly guests: readonly Guest[]
  readonly faults: readonly string[]
  /** Nothing new is done from now on; resolves when all that was done has been answered. */
  stop(): Promise<void>
  /** When everything has come to rest: what is wrong in the databases of the market and the chat, and what was counted. */
  judge(market: Queryable, chat: Queryable): Promise<{ faults: string[]; counts: Record<string, number> }>
}

/** `urls` are asked anew for each request; while none of them answers, it is made again and again. */
export async function createMarketLoad(
  scope: Scope,
  { random, urls }: { random: Random; urls: () => readonly string[] },
): Promise<MarketLoad> {
  const faults: string[] = []
  const offers: Offer[] = []
  const counts = { 'posts offered': 0, 'posts deleted': 0, 'trade rooms': 0, 'words in them': 0, 'wishes changed': 0 }
  const { join, ask } = createCallers({ random, urls })
  const traders = await join(SELLERS + BUYERS)
  const [sellers, buyers] = [traders.slice(0, SELLERS), traders.slice(SELLERS)]
  const running = { stopped: false }
  scope.after(async () => void (running.stopped = true))

  /** True for the status that was hoped for; another one that is not allowed for what is gone, or no longer open, is a fault. */
  function is(status: number, answer: Answer<unknown>, ...allowed: number[]): boolean {
    if (answer.status === status) return true
    if (!allowed.includes(answer.status)) faults.push(`${answer.status} ${answer.text}`)
    return false
  }

  async function offer(): Promise<void> {
    const seller = random.pick(sellers)
    const headers = { 'idempotency-key': randomUUID() }
    const draft = { title: `Plant ${offers.length}`, content: '한 포기', price: 1_000 }
    const answer = await ask(seller, async (client) => {
      const made = await client.post<Post>('/api/posts', draft, headers)
      // The first attempt, whose process may be gone, is waited for.
      return made.status === 409 ? undefined : made
    })
    if (!is(201, answer)) return
    counts['posts offered']++
    offers.push({ id: answer.body.id, seller, rooms: new Map(), messages: 0, isDeleted: false })
  }

  async function open(): Promise<void> {
    const [post, buyer] = [random.pick(offers), random.pick(buyers)]
    const body = { type: 'trade', postId: post.id }
    const answer = await ask(buyer, (client) => client.post<RoomView>('/api/rooms', body))
    // Not heard of yet, deleted, or not open.
    if (answer.status !== 200 && !is(201, answer, 404, 409)) return
    if (!post.rooms.has(answer.body.id)) counts['trade rooms']++
    post.rooms.set(answer.body.id, buyer)
  }

  async function say(): Promise<void> {
    const post = random.pick(offers)
    if (post.rooms.size === 0) return
    const [roomId, buyer] = random.pick([...post.rooms])
    const body = { clientMessageId: randomUUID(), text: '아직 있나요?' }
    const answer = await ask(random.pick([buyer, post.seller]), (client) =>
      client.post(`/api/rooms/${roomId}/messages`, body),
    )
    if (answer.status !== 200 && !is(201, answer, 404)) return
    post.messages++
    counts['words in them']++
  }

  async function wish(): Promise<void> {
    const post = random.pick(offers)
    const method = random.pick(['PUT', 'DELETE'])
    const answer = await ask(random.pick(buyers), (client) => client.request(method, `/api/posts/${post.id}/wish`))
    if (is(204, answer, 404)) counts['wishes changed']++
  }

  async function change(): Promise<void> {
    const post = random.pick(offers)
    const status = random.pick(['open', 'reserved', 'reserved', 'open', 'sold'])
    is(200, await ask(post.seller, (client) => client.put(`/api/posts/${post.id}/status`, { status })), 404, 409)
  }

  async function remove(): Promise<void> {
    const post = random.pick(offers)
    const answer = await ask(post.seller, (client) => client.delete<SagaView>(`/api/posts/${post.id}`))
    // 404 when it was deleted before, or by a request whose answer was lost.
    if (answer.status !== 404 && !is(202, answer)) return
    if (!post.isDeleted) counts['posts deleted']++
    post.isDeleted = true
  }

  async function trade(): Promise<void> {
    while (!running.stopped) {
      const acts = [offer, open, open, open, say, say, say, say, wish, wish, change, remove]
      await (offers.length < 3 ? offer : random.pick(acts))()
      await delay(random.below(120))
    }
  }
  const done = Promise.all(
    Array.from({ length: BUYERS }, () => trade().catch((thrown: unknown) => void faults.push(String(thrown)))),
  )

  return {
    guests: traders.map(({ person }) => guestOf(person)),
    faults,
    async stop() {
      running.stopped = true
      await done
    },
    async judge(market, chat) {
      const found = [...(await inconsistent(market, chat)), ...(await miscounted(market, offers))]
      return { faults: found, counts }
    },
  }
}

/** What the two databases tell differently, and what is left of what is gone. */
async function inconsistent(market: Queryable, chat: Queryable): Promise<string[]> {
  const list = async (db: Queryable, sql: string): Promise<string[]> =>
    (await db.query<{ what: string }>(sql)).map(({ what }) => what).toSorted()
  const differences = (what: string, one: string[], other: string[]): string[] =>
    [...new Set(one).symmetricDifference(new Set(other))].map((fault) => `${what}: ${fault}`)
  return [
    ...differences(
      'a post that market and chat know differently',
      await list(market, `select concat_ws(' ', id, status, title) as what from market.post`),
      await list(chat, `select concat_ws(' ', id, status, title) as what from chat.post where not deleted`),
    ),
    ...differences(
      'a room that market and chat know differently',
      await list(market, `select concat_ws(' ', post_id, buyer_id) as what from market.post_room`),
      await list(chat, `select concat_ws(' ', post_id, buyer_id) as what from chat.room where type = 'trade'`),
    ),
    ...(await list(
      chat,
      `select 'room ' || r.id || ' of a post that is gone' as what from chat.room r join chat.post p on p.id = r.post_id where p.deleted
       union all select distinct 'message in no room ' || room_id from chat.message m where not exists (select from chat.room r where r.id = m.room_id)
       union all select 'member in no room ' || room_id from chat.room_member m where not exists (select from chat.room r where r.id = m.room_id)`,
    )),
    ...(await list(
      market,
      `select 'post ' || c.post_id || ' with ' || c.wishes || ' wishes has ' || n as what
       from market.post_counter c cross join lateral (select count(*) as n from market.wish w where w.post_id = c.post_id) w where n <> c.wishes
       union all select 'wish for no post ' || post_id from market.wish w where not exists (select from market.post p where p.id = w.post_id)
       union all select 'counter of no post ' || post_id from market.post_counter c where not exists (select from market.post p where p.id = c.post_id)`,
    )),
  ]
}

/** Posts that are there, or gone, against what was answered; and deletions that counted less than was answered. */
async function miscounted(market: Queryable, offers: readonly Offer[]): Promise<string[]> {
  const there = new Set((await market.query<{ id: string }>('select id from market.post')).map(({ id }) => id))
  const deletions = new Map(
    (
      await market.query<{ view: string; start: string }>(
        `select view, start from saga.saga where type = 'post-deletion'`,
      )
    ).map(({ view, start }) => [
      (JSON.parse(start) as { data: { postId: string } }).data.postId,
      JSON.parse(view) as SagaView,
    ]),
  )
  const ids = new Set(offers.map(({ id }) => id))
  return [
    ...[...there.union(deletions)].filter((id) => !ids.has(id)).map((id) => `post ${id} was offered twice`),
    ...offers.flatMap(({ id, isDeleted, rooms, messages }) => {
      const deletion = deletions.get(id)
      if (isDeleted !== (deletion !== undefined) || isDeleted === there.has(id))
        return [`post ${id}: deleted ${isDeleted}, saga ${deletion?.status}, there ${there.has(id)}`]
      if (!deletion) return []
      const detail = deletion.steps.chat!.detail as { rooms: number; messages: number } | undefined
      return deletion.status === 'completed' && detail && detail.rooms >= rooms.size && detail.messages >= messages
        ? []
        : [`post ${id} had ${rooms.size} rooms and ${messages} words; its deletion: ${JSON.stringify(deletion)}`]
    }),
  ]
}
