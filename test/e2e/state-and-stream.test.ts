// Whoever opens their stream, then fetches their state, then applies what comes, has what a fresh fetch would show: for several people on
// two instances, over random operations of every kind, from a fetch at any moment. SEED=… repeats the operations (not the timing).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { RoomView } from '@pando/events/views'
import { isDeepStrictEqual } from 'node:util'
import { createRandom } from '@pando/saga/testing'
import { type Answer, Client } from '../support/client.ts'
import { type Person, person, sagaEnded } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'
import { common, fetchState, startModel, type UserState } from '../support/user-model.ts'
import { followUser, type UserStream } from '../support/user-stream.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const random = createRandom(seed)
const PEOPLE = 5
const ROUNDS = 10
const OPERATIONS = 40

const system = await startSystem({ after })
const other = await system.join(['chat', 'notification'])

interface Someone extends Person {
  stream: UserStream
  models: (() => UserState)[]
}

/** Each on one of the two instances, moment by moment. */
const at = (someone: Person): Client => new Client(random.pick([system.url, other.url]), { token: someone.token })

async function create(): Promise<Someone> {
  const who = await person(system.url)
  const stream = await followUser({ after }, async () => ({
    url: random.pick([system.url, other.url]),
    token: who.token,
  }))
  return { ...who, stream, models: [] }
}

const told = new Set<string>()
/** What is for sale, or was. */
const offers: { id: string; sellerId: string }[] = []

test(`state and stream are what a fresh fetch shows, SEED=${seed}`, { timeout: 240_000 }, async () => {
  const people = await Promise.all(Array.from({ length: PEOPLE }, create))
  await trade(people[0]!, people[1]!)
  for (let round = 0; round < ROUNDS; round++) {
    const operations = Array.from({ length: OPERATIONS }, () => operate(people))
    // Fetched while things change.
    for (const someone of people) someone.models.push(await startModel(at(someone), someone.id, someone.stream))
    await Promise.all(operations)
    if (random.below(2) === 0) random.pick(people).stream.cut()
    // One of them leaves for good in the middle of it all.
    if (round === ROUNDS - 3) await leave(people.pop()!)
    await Promise.all(people.map((someone) => agrees(someone, round)))
    for (const someone of people) someone.models.splice(0, someone.models.length - 2)
  }
  for (const { stream } of people) {
    assert.deepEqual(stream.faults(), [])
    for (const { event } of stream.stored()) told.add(event)
  }
  console.log(`${ROUNDS * OPERATIONS} operations; told: ${[...told].toSorted().join(', ')}`)
  const all = ['message.created', 'message.deleted', 'room.opened', 'room.changed', 'room.read', 'room.deleted']
  const others = ['notification.created', 'notification.read', 'post.changed', 'saga.changed']
  assert.deepEqual([...told].toSorted(), [...all, ...others].toSorted())
})

/** What chance might leave out is told once by design: of a trade, from its post to the end of its room. */
async function trade(seller: Someone, buyer: Someone): Promise<void> {
  const done = async (act: Promise<Answer<unknown>>): Promise<{ id: string; seq: number }> => {
    const { status, text, body } = await act
    assert.ok(status < 300, `${status} ${text}`)
    return body as { id: string; seq: number }
  }
  const toldTo = ({ stream }: Someone, kind: string): Promise<true> =>
    until(`${kind} is told`, () => stream.stored().some(({ event }) => event === kind))
  const post = await done(seller.client.post('/api/posts', { title: 'Monstera', content: '한 포기', price: 0 }))
  const room = await done(buyer.client.post('/api/rooms', { type: 'trade', postId: post.id }))
  const messages = `/api/rooms/${room.id}/messages`
  const { seq } = await done(buyer.client.post(messages, { clientMessageId: randomUUID(), text: '있나요?' }))
  await done(seller.client.put(`/api/rooms/${room.id}/read`, { seq }))
  await done(buyer.client.delete(`${messages}/${seq}`))
  await done(seller.client.put(`/api/posts/${post.id}/status`, { status: 'reserved' }))
  await toldTo(buyer, 'post.changed')
  await done(seller.client.delete(`/api/posts/${post.id}`))
  await toldTo(buyer, 'room.deleted')
}

/** Waits until all of somebody's models are what is fetched anew, and shows where they differ when that does not come. */
async function agrees(someone: Someone, round: number): Promise<void> {
  let difference: [model: unknown, fetched: unknown] | undefined
  await until(
    'agreement',
    async () => {
      const fetched = await fetchState(at(someone))
      difference = someone.models.map((read) => common(read(), fetched)).find(([a, b]) => !isDeepStrictEqual(a, b))
      // What the market tells of posts may still be on its way, and come between the parts of a fetch.
      difference ??= badgesOf(fetched).find(([a, b]) => !isDeepStrictEqual(a, b))
      return difference === undefined
    },
    30_000,
  ).catch(() => assert.deepEqual(...difference!, `${someone.username} in round ${round}, SEED=${seed}`))
}

/** Of each room what it says of its messages, beside what a recount gives. */
function badgesOf({ rooms, messages }: UserState): [shown: unknown, recounted: unknown][] {
  return rooms.map(({ id, lastSeq, lastReadSeq, unread, lastMessage }) => {
    const all = messages.get(id)!
    return [
      { seqs: Array.from({ length: lastSeq }, (_, i) => i + 1), unread, lastMessage },
      {
        seqs: all.map(({ seq }) => seq),
        unread: all.filter(({ seq }) => seq > lastReadSeq).length,
        lastMessage: all.at(-1) ?? null,
      },
    ]
  })
}

async function leave(someone: Someone): Promise<void> {
  const { headers, status, text } = await someone.client.delete('/api/me', { password: someone.password })
  assert.equal(status, 202, text)
  const { status: end } = await sagaEnded(someone.client, headers.location!)
  assert.equal(end, 'completed')
  await someone.stream.stop()
}

/** Something that somebody does. That it is refused is as good as that it is done; that it fails is not. */
async function operate(people: readonly Someone[]): Promise<void> {
  const [me, you, third] = random.shuffle(people) as [Someone, Someone, Someone]
  const client = at(me)
  const rooms = await client.get<{ items: RoomView[] }>('/api/rooms?limit=100').then(({ body }) => body.items)
  const room = rooms.length > 0 ? random.pick(rooms) : undefined
  const within = (act: (room: RoomView) => Promise<Answer<unknown>>): Promise<Answer<unknown>> =>
    room ? act(room) : client.put(`/api/friends/${you.id}`)
  const say = () =>
    within(({ id }) =>
      client.post(`/api/rooms/${id}/messages`, { clientMessageId: randomUUID(), text: `${random.below(1_000)} 🌱` }),
    )
  const acts: readonly (() => Promise<Answer<unknown>>)[] = [
    say,
    say,
    say,
    say,
    () => client.put(`/api/friends/${you.id}`),
    () => client.put(`/api/friends/${you.id}`),
    () => client.delete(`/api/friends/${third.id}`),
    () => client.put(`/api/blocks/${you.id}`),
    () => client.delete(`/api/blocks/${you.id}`),
    () => client.post('/api/rooms', { type: 'direct', userId: you.id }),
    () => client.post('/api/rooms', { type: 'group', name: `group ${random.below(100)}`, userIds: [you.id] }),
    () => within(({ id }) => client.post(`/api/rooms/${id}/members`, { userIds: [third.id] })),
    () => within(({ id }) => client.delete(`/api/rooms/${id}/members/me`)),
    () => within(({ id, muted }) => client.patch(`/api/rooms/${id}/me`, { muted: !muted })),
    () =>
      within(({ id, lastSeq }) => client.put(`/api/rooms/${id}/read`, { seq: Math.max(1, lastSeq - random.below(3)) })),
    () => within(({ id, lastSeq }) => client.put(`/api/rooms/${id}/read`, { seq: Math.max(1, lastSeq) })),
    () => within(({ id, lastSeq }) => client.delete(`/api/rooms/${id}/messages/${1 + random.below(lastSeq + 1)}`)),
    () => me.client.patch('/api/me', { displayName: `이름 ${random.below(100)}` }),
    notified(client),
    notified(client),
    ...trades(me, client),
  ]
  const { status, text } = await random.pick(acts)()
  assert.ok(status < 500 && status !== 401, `${status} ${text}`)
}

const trades = (me: Someone, client: Client): (() => Promise<Answer<unknown>>)[] => {
  const own = offers.filter(({ sellerId }) => sellerId === me.id)
  async function offer(): Promise<Answer<unknown>> {
    const draft = { title: `Plant ${offers.length}`, content: '한 포기', price: 0 }
    const answer = await me.client.post<{ id: string }>('/api/posts', draft)
    if (answer.status === 201) offers.push({ id: answer.body.id, sellerId: me.id })
    return answer
  }
  if (offers.length === 0) return [offer]
  const open = () => client.post('/api/rooms', { type: 'trade', postId: random.pick(offers).id })
  if (own.length === 0) return [offer, open, open, open]
  const path = `/api/posts/${random.pick(own).id}`
  return [
    offer,
    open,
    open,
    () => me.client.put(`${path}/status`, { status: random.pick(['open', 'reserved', 'sold']) }),
    () => me.client.put(`${path}/status`, { status: random.pick(['open', 'reserved']) }),
    () => me.client.patch(path, { title: `Title ${random.below(100)}` }),
    () => me.client.delete(path),
  ]
}

const notified = (client: Client) => async (): Promise<Answer<unknown>> => {
  const list = await client.get<{ items: { id: string }[] }>('/api/notifications')
  if (list.body.items.length === 0) return list
  const { id } = random.pick(list.body.items)
  return random.pick([
    () => client.put(`/api/notifications/${id}/read`),
    () => client.put('/api/notifications/read', { upTo: id }),
    () => client.delete(`/api/notifications/${id}`),
  ])()
}
