// Rooms about posts: opened by buyers, told what becomes of the post.
import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { after, test, type TestContext } from 'node:test'
import type { MessageView, NotificationView, RoomView } from '@pando/events/views'
import { assertProblem } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { offer } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'
import { followUser } from '../support/user-stream.ts'

const system = await startSystem({ after })
const [seller, buyer, other] = (await Promise.all([1, 2, 3].map(() => person(system.url)))) as [Person, Person, Person]

const open = (who: Person, postId: string) => who.client.post<RoomView>('/api/rooms', { type: 'trade', postId })
const roomOf = async (who: Person, id: string): Promise<RoomView> =>
  (await who.client.get<RoomView>(`/api/rooms/${id}`)).body
const messagesOf = async (who: Person, id: string): Promise<MessageView[]> =>
  (await who.client.get<{ items: MessageView[] }>(`/api/rooms/${id}/messages?after=0`)).body.items
const notificationsOf = async (who: Person): Promise<NotificationView[]> =>
  (await who.client.get<{ items: NotificationView[] }>('/api/notifications')).body.items
const follow = (t: TestContext, { token }: Person) => followUser(t, async () => ({ url: system.url, token }))
const setStatus = (id: string, body: object) => seller.client.put(`/api/posts/${id}/status`, body)

test('a buyer opens the room of a post that was put up a moment ago, once; both see the post beside it', async () => {
  const post = await offer(seller, { title: '몬스테라' })
  const { status, body: room, headers, text } = await open(buyer, post.id)
  assert.equal(status, 201, text)
  assert.equal(headers.location, `/api/rooms/${room.id}`)
  assert.deepEqual(
    [room.type, room.name, room.post],
    ['trade', null, { id: post.id, title: '몬스테라', status: 'open' }],
  )
  assert.deepEqual(room.members.map(({ user }) => user.id).toSorted(), [buyer.id, seller.id].toSorted())
  const again = await Promise.all(Array.from({ length: 20 }, () => open(buyer, post.id)))
  assert.deepEqual(
    again.map((answer) => [answer.status, answer.body.id]),
    again.map(() => [200, room.id]),
  )
  const seen = await roomOf(seller, room.id)
  assert.deepEqual(seen.post, room.post)
  const second = await open(other, post.id)
  assert.deepEqual([second.status, second.body.id === room.id], [201, false])
  const [told] = await until('the seller is told', async () => {
    const found = (await notificationsOf(seller)).filter(({ data }) => data.roomId === room.id)
    return found.length > 0 && found
  })
  assert.deepEqual(
    [told!.type, told!.url, told!.data],
    [
      'room_opened',
      `/rooms/${room.id}`,
      {
        roomId: room.id,
        roomType: 'trade',
        roomName: null,
        by: { id: buyer.id, displayName: buyer.displayName },
        post: { id: post.id, title: '몬스테라' },
      },
    ],
  )
})

test('fifty at once open one room for a buyer', async () => {
  const post = await offer(seller)
  const answers = await Promise.all(Array.from({ length: 50 }, () => open(buyer, post.id)))
  assert.deepEqual(answers.filter(({ status }) => status === 201).length, 1)
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1)
})

test("none for one's own post, for one that is not there, or is no id", async () => {
  const post = await offer(seller)
  await open(buyer, post.id)
  assertProblem(await open(seller, post.id), 403, 'forbidden')
  for (const id of [randomUUID(), 'post', '']) assertProblem(await open(buyer, id), 404, 'not_found')
  const from = performance.now()
  assertProblem(await open(buyer, randomUUIDv7()), 404, 'not_found')
  assert.ok(performance.now() - from >= 2_000, 'one that could be new is waited for')
})

test('none when the seller has blocked the buyer, nor another word', async () => {
  const [who, ...posts] = [await person(system.url), await offer(seller), await offer(seller)] as const
  const { body: room } = await open(who, posts[0].id)
  await seller.client.put(`/api/blocks/${who.id}`)
  assertProblem(await open(who, posts[1].id), 403, 'forbidden')
  const send = (): ReturnType<typeof who.client.post> =>
    who.client.post(`/api/rooms/${room.id}/messages`, { clientMessageId: randomUUID(), text: 'hello' })
  assertProblem(await send(), 403, 'forbidden')
  await seller.client.delete(`/api/blocks/${who.id}`)
  assert.equal((await send()).status, 201)
})

test('what becomes of the post is said in its rooms, shown beside them, and told to their members', async (t) => {
  const post = await offer(seller, { title: 'Hoya' })
  const [{ body: room }, { body: second }] = await Promise.all([open(buyer, post.id), open(other, post.id)])
  const stream = await follow(t, buyer)
  const ofSeller = await follow(t, seller)
  for (const status of ['reserved', 'open', 'sold'])
    assert.equal((await setStatus(post.id, status === 'sold' ? { status, buyerId: buyer.id } : { status })).status, 200)
  for (const { id, who } of [
    { id: room.id, who: buyer },
    { id: second.id, who: other },
  ]) {
    const said = await until('all is said', async () => {
      const messages = await messagesOf(who, id)
      return messages.length >= 3 && messages
    })
    assert.deepEqual(
      said.map(({ seq, kind, sender, text, system }) => ({ seq, kind, sender, text, code: system?.code })),
      ['post_reserved', 'post_reopened', 'post_sold'].map((code, i) => ({
        seq: i + 1,
        kind: 'system',
        sender: null,
        text: null,
        code,
      })),
    )
    const { post: shown, unread } = await roomOf(who, id)
    assert.deepEqual([shown?.status, unread], ['sold', 3])
  }
  const changesOn = (events: ReturnType<typeof stream.stored>): unknown[] =>
    events.filter(({ event }) => event === 'post.changed').map(({ data }) => JSON.parse(data) as unknown)
  await until('the last change is told', () =>
    [stream, ofSeller].every((one) =>
      one.stored().some(({ event, data }) => event === 'post.changed' && data.includes('sold')),
    ),
  )
  assert.deepEqual(changesOn(stream.stored()).at(-1), { postId: post.id, status: 'sold' })
  const shown = stream.stored().findLast(({ event }) => event === 'room.changed')
  const { body: now } = await buyer.client.get<RoomView>(`/api/rooms/${room.id}`)
  assert.deepEqual(JSON.parse(shown!.data), now, 'the stream ends where a fetch begins')
  const sold = await until('the buyer is told', async () =>
    (await notificationsOf(buyer)).find(({ type }) => type === 'post_sold'),
  )
  assert.deepEqual([sold.data, sold.url], [{ postId: post.id, title: 'Hoya' }, `/posts/${post.id}`])
})

test('a new title is shown beside the room', async () => {
  const post = await offer(seller)
  const { body: room } = await open(buyer, post.id)
  await seller.client.patch(`/api/posts/${post.id}`, { title: 'Another name' })
  await until('the new title', async () => (await roomOf(buyer, room.id)).post?.title === 'Another name')
  assert.equal((await roomOf(buyer, room.id)).lastSeq, 0)
})

test('only an open post gets a room; who has one finds it whatever has become of the post', async () => {
  const post = await offer(seller)
  const { body: room } = await open(buyer, post.id)
  await setStatus(post.id, { status: 'reserved' })
  await until('the chat knows', async () => (await roomOf(buyer, room.id)).post?.status === 'reserved')
  assertProblem(await open(other, post.id), 409, 'post_not_open')
  const again = await open(buyer, post.id)
  assert.deepEqual([again.status, again.body.id], [200, room.id])
})

test('a post is sold to somebody who has a room for it, be it opened just now', async () => {
  const post = await offer(seller)
  assertProblem(await setStatus(post.id, { status: 'sold', buyerId: other.id }), 400, 'validation_failed')
  await open(other, post.id)
  assert.equal((await setStatus(post.id, { status: 'sold', buyerId: other.id })).status, 200)
})
