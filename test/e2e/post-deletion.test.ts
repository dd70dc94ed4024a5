// The deletion of a post: at once for everybody, and its rooms with their messages in the chat's database.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { NotificationView, RoomView } from '@pando/events/views'
import type { SagaView } from '@pando/saga'
import { assertProblem, Client } from '../support/client.ts'
import { logIn, person, type Person, sagaEnded, viewsOf } from '../support/people.ts'
import { allOf, offer, type Page, type Post } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'
import { followUser } from '../support/user-stream.ts'

const admin = { username: 'root', password: 'a secret of the admin' }
const system = await startSystem({ after }, { env: { ADMIN_USERNAME: admin.username, ADMIN_PASSWORD: admin.password } })
const { chat, market, customer } = system.databases
const anybody = new Client(system.url)
const [seller, buyer, other] = (await Promise.all([1, 2, 3].map(() => person(system.url)))) as [Person, Person, Person]

async function tradeRoom(who: Person, postId: string, messages = 1): Promise<string> {
  const { status, body, text } = await who.client.post<RoomView>('/api/rooms', { type: 'trade', postId })
  assert.equal(status, 201, text)
  for (let i = 0; i < messages; i++) await who.client.post(`/api/rooms/${body.id}/messages`, word())
  return body.id
}
const word = () => ({ clientMessageId: randomUUID(), text: 'Is it still there?' })
const deletionOf = async ({ client }: Pick<Person, 'client'>, id: string): Promise<string> => {
  const { status, body, headers, text } = await client.delete<SagaView>(`/api/posts/${id}`)
  assert.equal(status, 202, text)
  assert.equal(headers.location, `/api/sagas/post-deletion/${body.id}`)
  return headers.location
}
const rowsOf = async (roomIds: string[]): Promise<number> => {
  const [row] = await chat.query<{ n: number }>(
    `select (select count(*) from chat.room where id = any($1::uuid[])) + (select count(*) from chat.room_member where room_id = any($1::uuid[]))
       + (select count(*) from chat.message where room_id = any($1::uuid[])) as n`,
    [roomIds],
  )
  return row!.n
}

test('the post is gone at once; its rooms and messages are when the saga is done, which has counted them', async (t) => {
  const post = await offer(seller)
  await buyer.client.put(`/api/posts/${post.id}/wish`)
  const rooms = [await tradeRoom(buyer, post.id, 3), await tradeRoom(other, post.id, 2)]
  await other.client.delete(`/api/rooms/${rooms[1]}/messages/1`)
  await seller.client.put(`/api/posts/${post.id}/status`, { status: 'reserved' })
  await until('it is said', async () => (await rowsOf(rooms)) === 2 + 4 + 5 + 2)
  const stream = await followUser(t, async () => ({ url: system.url, token: buyer.token }))

  const path = await deletionOf(seller, post.id)
  assertProblem(await anybody.get(`/api/posts/${post.id}`), 404, 'not_found')
  assert.deepEqual((await buyer.client.get<Page<Post>>('/api/me/wishes')).body.items, [])
  assertProblem(await seller.client.delete(`/api/posts/${post.id}`), 404, 'not_found')

  const view = await sagaEnded(seller.client, path)
  assert.deepEqual(
    [view.status, view.steps],
    // Tombstones and what the room said itself are rows too.
    ['completed', { market: { status: 'done' }, chat: { status: 'done', detail: { rooms: 2, messages: 7 } } }],
  )
  assert.equal(await rowsOf(rooms), 0)
  assertProblem(await buyer.client.post('/api/rooms', { type: 'trade', postId: post.id }), 404, 'not_found')
  for (const who of [buyer, other, seller])
    for (const id of rooms) assertProblem(await who.client.get(`/api/rooms/${id}`), 404, 'not_found')
  assertProblem(await buyer.client.post(`/api/rooms/${rooms[0]}/messages`, word()), 404, 'not_found')
  for (const table of ['post', 'post_counter', 'post_search', 'wish', 'post_room', 'announcement'])
    assert.deepEqual(
      await market.query(`select from market.${table} where ${table === 'post' ? 'id' : 'post_id'} = $1`, [post.id]),
      [],
      table,
    )

  await until('the buyer is told', () => stream.stored().some(({ event }) => event === 'room.deleted'))
  assert.deepEqual(JSON.parse(stream.stored().find(({ event }) => event === 'room.deleted')!.data), {
    roomId: rooms[0],
    reason: 'post_deleted',
  })
  const told = await until('a notification', async () =>
    (await buyer.client.get<{ items: NotificationView[] }>('/api/notifications')).body.items.find(
      ({ type }) => type === 'room_deleted',
    ),
  )
  assert.deepEqual(told.data, { roomId: rooms[0], reason: 'post_deleted', post: { id: post.id, title: post.title } })
})

test('the saga is followed live by the seller, on their own stream too, and seen by nobody else but admins', async (t) => {
  const post = await offer(seller)
  await tradeRoom(buyer, post.id)
  const own = await followUser(t, async () => ({ url: system.url, token: seller.token }))
  const path = await deletionOf(seller, post.id)
  const views = viewsOf(await (await seller.client.stream(`${path}/events`)).ended())
  assert.deepEqual(
    views.map(({ version, status }) => [version, status]),
    [
      [1, 'running'],
      [2, 'completed'],
    ],
  )
  await until('both versions', () => own.stored().filter(({ event }) => event === 'saga.changed').length >= 2)
  assertProblem(await buyer.client.get(path), 404, 'not_found')
  assertProblem(await anybody.get(path), 401, 'unauthenticated')
  const root = new Client(system.url, { token: await logIn(system.url, admin) })
  assert.equal((await root.get<SagaView>(path)).body.status, 'completed')
})

test("another's post is theirs to delete, or an admin's", async () => {
  const post = await offer(seller)
  assertProblem(await anybody.delete(`/api/posts/${post.id}`), 401, 'unauthenticated')
  assertProblem(await buyer.client.delete(`/api/posts/${post.id}`), 403, 'forbidden')
  assertProblem(await buyer.client.delete('/api/posts/none'), 404, 'not_found')
  const root = new Client(system.url, { token: await logIn(system.url, admin) })
  const path = await deletionOf({ client: root }, post.id)
  assert.equal((await sagaEnded(seller.client, path)).status, 'completed')
})

test('an account goes with its posts and their rooms; refused, all is as before', async () => {
  const who = await person(system.url)
  const post = await offer(who)
  const room = await tradeRoom(buyer, post.id, 2)
  await who.client.put(`/api/posts/${(await offer(seller)).id}/wish`)
  await customer.query('update customer.wallet set balance = 1 where user_id = $1', [who.id])
  const refused = await who.client.request<SagaView>('DELETE', '/api/me', { body: { password: who.password } })
  const end = await sagaEnded(who.client, refused.headers.location!)
  assert.deepEqual([end.status, end.steps.market?.status], ['failed', 'undone'])
  await until('it is seen again', async () => (await anybody.get(`/api/posts/${post.id}`)).status === 200)
  await customer.query('update customer.wallet set balance = 0 where user_id = $1', [who.id])

  const { headers } = await who.client.request<SagaView>('DELETE', '/api/me', { body: { password: who.password } })
  await until('nobody sees it', async () => (await anybody.get(`/api/posts/${post.id}`)).status === 404)
  assert.equal((await sagaEnded(who.client, headers.location!)).status, 'completed')
  await until('its room is gone', async () => (await rowsOf([room])) === 0)
  assert.ok(!(await allOf<Post>(anybody, '/api/posts')).some(({ id }) => id === post.id))
  const left = await market.query('select from market.wish where user_id = $1', [who.id])
  assert.deepEqual(left, [])
  const deletion = await until('the deletion of the post is done', async () => {
    const [row] = await market.query<{ view: string; owner_id: string | null }>(
      `select view, owner_id from saga.saga where start like '%' || $1 || '%' and ended_at is not null`,
      [post.id],
    )
    return row
  })
  assert.deepEqual([(JSON.parse(deletion.view) as SagaView).status, deletion.owner_id], ['completed', null])
})
