// Rooms and who is in them, as clients see them, and what other services hear of it.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { RoomView } from '@pando/events/views'
import { assertProblem, Client } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const { databases } = system
const [me, ada, ben, eve] = (await Promise.all(Array.from({ length: 4 }, () => person(system.url)))) as [
  Person,
  Person,
  Person,
  Person,
]
for (const { id } of [ada, ben]) await me.client.put(`/api/friends/${id}`)
await ada.client.put(`/api/friends/${ben.id}`)

interface Page {
  items: RoomView[]
  next: string | null
}
interface StreamEvent {
  type: string
  data: Record<string, unknown>
}
const viewOf = ({ id, username, displayName }: Person, statusMessage = '') => ({
  id,
  username,
  displayName,
  statusMessage,
})
const open = async (who: Person, body: object): Promise<RoomView> => {
  const answer = await who.client.post<RoomView>('/api/rooms', body)
  assert.equal(answer.status, 201, answer.text)
  return answer.body
}
const group = (who: Person, name: string, ...others: Person[]): Promise<RoomView> =>
  open(who, { type: 'group', name, userIds: others.map(({ id }) => id) })
/** What stands on somebody's stream about a room. */
const streamOf = async ({ id }: Person, roomId: string): Promise<StreamEvent[]> =>
  (
    await databases.notification.query<{ type: string; data: string }>(
      'select type, data from saga.stream_event where stream = $1 order by seq',
      [id],
    )
  )
    .map(({ type, data }) => ({ type, data: JSON.parse(data) as Record<string, unknown> }))
    .filter(({ data }) => [data['id'], data['roomId']].includes(roomId))
const toldTo = (who: Person, roomId: string, type: string): Promise<StreamEvent> =>
  until(`${type} to ${who.username}`, async () => (await streamOf(who, roomId)).find((event) => event.type === type))

test('a direct room: opened once, found by both, whoever asks, and shown to the other one', async () => {
  const answer = await me.client.post<RoomView>('/api/rooms', { type: 'direct', userId: eve.id })
  assert.equal(answer.status, 201)
  const { id, ...room } = answer.body
  assert.equal(answer.headers.location, `/api/rooms/${id}`)
  assert.deepEqual(room, {
    type: 'direct',
    name: null,
    members: [me, eve].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((one) => ({ user: viewOf(one), lastReadSeq: 0 })),
    lastMessage: null,
    lastSeq: 0,
    lastReadSeq: 0,
    unread: 0,
    muted: false,
  })
  for (const [who, other] of [
    [me, eve],
    [eve, me],
  ] as const) {
    const again = await who.client.post<RoomView>('/api/rooms', { type: 'direct', userId: other.id })
    assert.deepEqual([again.status, again.headers.location, again.body], [200, undefined, answer.body])
    assert.deepEqual((await who.client.get(`/api/rooms/${id}`)).body, answer.body)
    assert.deepEqual((await who.client.get<Page>('/api/rooms')).body, { items: [answer.body], next: null })
  }
  assert.deepEqual((await toldTo(eve, id, 'room.opened')).data, answer.body)
  assertProblem(await ada.client.get(`/api/rooms/${id}`), 404, 'not_found')
})

test('fifty requests at once from both sides, over HTTP: one 201, and one room', async () => {
  const [a, b] = await Promise.all([person(system.url), person(system.url)])
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => {
      const [who, other] = i % 2 ? [a, b] : [b, a]
      return who.client.post<RoomView>('/api/rooms', { type: 'direct', userId: other.id })
    }),
  )
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  assert.equal(answers.filter(({ status }) => status === 200).length, 49)
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1)
})

test('a group of friends: opened, grown, shown to everybody, left, and gone with the last one', async () => {
  const room = await group(me, '🌿 다육이', ada, ada, me)
  assert.deepEqual([room.type, room.name, room.members.length, room.lastSeq], ['group', '🌿 다육이', 2, 0])
  const added = await ada.client.post<RoomView>(`/api/rooms/${room.id}/members`, { userIds: [ben.id, me.id, ben.id] })
  assert.equal(added.status, 200)
  assert.deepEqual(added.body.members.map(({ user }) => user.id).toSorted(), [me.id, ada.id, ben.id].toSorted())
  assert.deepEqual(
    [added.body.lastSeq, added.body.unread, added.body.lastMessage?.system?.code],
    [1, 1, 'member_joined'],
  )
  const seenByBen = (await ben.client.get<RoomView>(`/api/rooms/${room.id}`)).body
  assert.deepEqual((await toldTo(ben, room.id, 'room.opened')).data, seenByBen)
  assert.deepEqual(
    (await toldTo(me, room.id, 'room.changed')).data,
    (await me.client.get<RoomView>(`/api/rooms/${room.id}`)).body,
  )
  assert.equal((await toldTo(me, room.id, 'message.created')).data.seq, 1)

  const left = await ben.client.delete(`/api/rooms/${room.id}/members/me`)
  assert.deepEqual([left.status, left.text], [204, ''])
  assertProblem(await ben.client.get(`/api/rooms/${room.id}`), 404, 'not_found')
  assert.deepEqual((await toldTo(ben, room.id, 'room.deleted')).data, { roomId: room.id, reason: 'left' })
  assert.deepEqual((await me.client.get<RoomView>(`/api/rooms/${room.id}`)).body.lastMessage?.system, {
    code: 'member_left',
    users: [{ id: ben.id, displayName: ben.displayName }],
  })
  for (const who of [me, ada]) assert.equal((await who.client.delete(`/api/rooms/${room.id}/members/me`)).status, 204)
  for (const who of [me, ada]) assert.deepEqual((await toldTo(who, room.id, 'room.deleted')).data.reason, 'left')
  assert.deepEqual(await databases.chat.query('select from chat.message where room_id = $1', [room.id]), [])
  await until('nobody in it for others', async () => {
    const rows = await databases.notification.query('select from notification.room_member where room_id = $1', [
      room.id,
    ])
    return rows.length === 0
  })
})

test('muting is for oneself, and told to oneself alone', async () => {
  const room = await group(me, 'quiet', ada)
  const count = (await streamOf(ada, room.id)).length
  for (const muted of [true, true]) {
    const { status, body } = await me.client.patch<RoomView>(`/api/rooms/${room.id}/me`, { muted })
    assert.deepEqual([status, body], [200, { ...room, muted: true }])
  }
  assert.equal((await toldTo(me, room.id, 'room.changed')).data.muted, true)
  assert.equal((await ada.client.get<RoomView>(`/api/rooms/${room.id}`)).body.muted, false)
  assert.ok((await streamOf(ada, room.id)).length <= count + 1, 'at most that it was opened')
  assert.equal(
    (await streamOf(ada, room.id)).some(({ type }) => type === 'room.changed'),
    false,
  )
  for (const body of [{}, { muted: 1 }, { muted: null }])
    assertProblem(await me.client.patch(`/api/rooms/${room.id}/me`, body), 400, 'validation_failed')
})

test('another name is shown in all rooms, and everybody in them is told', async () => {
  const rooms = [await group(me, 'one', ada), await group(me, 'two', ada, ben)]
  await me.client.patch('/api/me', { displayName: 'Me, renamed', statusMessage: 'watering' })
  for (const { id } of rooms) {
    const { data } = await until('the name on the stream', async () =>
      (await streamOf(ada, id)).findLast(
        ({ type, data }) => type === 'room.changed' && JSON.stringify(data).includes('Me, renamed'),
      ),
    )
    assert.deepEqual(data, (await ada.client.get<RoomView>(`/api/rooms/${id}`)).body)
  }
  const { items } = (await ada.client.get<Page>('/api/rooms')).body
  for (const { id } of rooms)
    assert.ok(
      items
        .find((room) => room.id === id)!
        .members.some(({ user }) => user.displayName === 'Me, renamed' && user.statusMessage === 'watering'),
    )
})

test('what cannot be opened, by whom, and what is wrong with it', async () => {
  const ids = Array.from({ length: 300 }, () => randomUUID())
  for (const [body, status, code, path] of [
    [{}, 400, 'validation_failed', '/type'],
    [{ type: 'party' }, 400, 'validation_failed', '/type'],
    [{ type: 'direct' }, 400, 'validation_failed', '/userId'],
    [{ type: 'direct', userId: 7 }, 400, 'validation_failed', '/userId'],
    [{ type: 'direct', userId: me.id }, 400, 'validation_failed', '/userId'],
    [{ type: 'direct', userId: randomUUID() }, 404, 'not_found'],
    [{ type: 'direct', userId: 'x' }, 404, 'not_found'],
    [{ type: 'group', userIds: [ada.id] }, 400, 'validation_failed', '/name'],
    [{ type: 'group', name: '', userIds: [ada.id] }, 400, 'validation_failed', '/name'],
    [{ type: 'group', name: '금'.repeat(61), userIds: [ada.id] }, 400, 'validation_failed', '/name'],
    [{ type: 'group', name: 'x' }, 400, 'validation_failed', '/userIds'],
    [{ type: 'group', name: 'x', userIds: [] }, 400, 'validation_failed', '/userIds'],
    [{ type: 'group', name: 'x', userIds: [me.id] }, 400, 'validation_failed', '/userIds'],
    [{ type: 'group', name: 'x', userIds: ids }, 400, 'validation_failed', '/userIds'],
    [{ type: 'group', name: 'x', userIds: [1] }, 400, 'validation_failed', '/userIds/0'],
    [{ type: 'group', name: 'x', userIds: [ada.id, ids[0]] }, 404, 'not_found'],
    [{ type: 'group', name: 'x', userIds: [ada.id, 'x'] }, 404, 'not_found'],
    [{ type: 'group', name: 'x', userIds: [ada.id, eve.id] }, 403, 'forbidden'],
    [{ type: 'trade' }, 400, 'validation_failed', '/postId'],
    [{ type: 'trade', postId: randomUUID() }, 404, 'not_found'],
    [{ type: 'trade', postId: 'x' }, 404, 'not_found'],
  ] as const) {
    const problem = assertProblem(await me.client.post('/api/rooms', body), status, code)
    const paths = ((problem.errors ?? []) as { path: string }[]).map((fault) => fault.path)
    if (path === undefined) assert.deepEqual(paths, [])
    else assert.ok(paths.includes(path), JSON.stringify(problem))
    if (path !== undefined && path !== '/type') assert.deepEqual(paths, [path])
  }
  const widest = await open(me, { type: 'group', name: '🌿'.repeat(60), userIds: [ada.id], postId: 3, unknown: true })
  assert.equal(widest.name, '🌿'.repeat(60))
  assertProblem(
    await new Client(system.url).post('/api/rooms', { type: 'direct', userId: me.id }),
    401,
    'unauthenticated',
  )
})

test("rooms that are not there, not one's own, or no group", async () => {
  const room = await group(ada, 'theirs', ben)
  const { body: direct } = await me.client.post<RoomView>('/api/rooms', { type: 'direct', userId: ada.id })
  for (const id of [room.id, randomUUID(), 'x'])
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '/me', { muted: true }],
      ['POST', '/members', { userIds: [ada.id] }],
      ['DELETE', '/members/me', undefined],
    ] as const)
      assertProblem(await me.client.request(method, `/api/rooms/${id}${path}`, { body }), 404, 'not_found')
  assertProblem(await me.client.post(`/api/rooms/${direct.id}/members`, { userIds: [ben.id] }), 409, 'conflict')
  assertProblem(await me.client.delete(`/api/rooms/${direct.id}/members/me`), 409, 'conflict')
  const own = await group(me, 'mine', ada)
  const add = (userIds: unknown) => me.client.post(`/api/rooms/${own.id}/members`, { userIds })
  for (const userIds of [undefined, [], [1], Array.from({ length: 300 }, () => ada.id)])
    assertProblem(await add(userIds), 400, 'validation_failed')
  assertProblem(await add([eve.id]), 403, 'forbidden')
  assertProblem(await add([randomUUID()]), 404, 'not_found')
  assertProblem(await add(['x']), 404, 'not_found')
  assert.equal((await add([me.id])).status, 200)
})

test('the list: last activity first, in pages; what is no cursor is not valid', async () => {
  const [who, ...others] = await Promise.all(Array.from({ length: 6 }, () => person(system.url)))
  const ids: string[] = []
  for (const { id } of others) ids.push((await open(who!, { type: 'direct', userId: id })).id)
  assert.deepEqual(
    (await who!.client.get<Page>('/api/rooms?limit=100')).body.items.map(({ id }) => id),
    ids.toReversed(),
  )
  await others[0]!.client.put(`/api/friends/${who!.id}`)
  const late = await group(who!, 'late', others[0]!)
  await others[0]!.client.put(`/api/friends/${others[1]!.id}`)
  await others[0]!.client.post(`/api/rooms/${late.id}/members`, { userIds: [others[1]!.id] })
  const seen: string[] = []
  for (let cursor = ''; ;) {
    const { items, next } = (await who!.client.get<Page>(`/api/rooms?limit=2${cursor}`)).body
    seen.push(...items.map(({ id }) => id))
    if (next === null) break
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
  assert.deepEqual(seen, [late.id, ...ids.toReversed()])
  for (const query of ['cursor=x', 'cursor=e30', 'limit=0', 'limit=101', 'limit=x'])
    assertProblem(await who!.client.get(`/api/rooms?${query}`), 400, 'validation_failed')
})

test('the same request again, by its Idempotency-Key, opens no second group', async () => {
  const key = { 'idempotency-key': 'one-group' }
  const body = { type: 'group', name: 'once', userIds: [ada.id] }
  const [first, again] = [await me.client.post('/api/rooms', body, key), await me.client.post('/api/rooms', body, key)]
  assert.deepEqual([again.status, again.text, again.headers.location], [201, first.text, first.headers.location])
  assert.equal((await databases.chat.query(`select from chat.room where name = 'once'`)).length, 1)
})
