// Somebody who has friends and rooms deletes their account: others see it happen, and nothing of them stays in the chat.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { chatMessageCreated } from '@pando/events'
import type { MessageView, RoomView } from '@pando/events/views'
import { append, transaction } from '@pando/saga'
import { addMessages, messageView } from '../../services/chat/src/message.ts'
import { lockRooms } from '../../services/chat/src/room.ts'
import { assertProblem, Client } from '../support/client.ts'
import { person, type Person, sagaEnded } from '../support/people.ts'
import { tablesWith } from '../support/scan.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const { databases } = system

/** Somebody has written into a room, so many times. */
async function write(roomId: string, { id, displayName }: Person, count: number): Promise<void> {
  await transaction(databases.chat, async (tx) => {
    const { lastSeq } = (await lockRooms(tx, [roomId])).get(roomId)!
    const messages = Array.from({ length: count }, () => ({ roomId, sender: { id, displayName }, text: `I am ${id}` }))
    for (const row of addMessages(tx, new Map([[roomId, lastSeq]]), messages))
      append(tx, chatMessageCreated({ message: messageView(row) }))
  })
}
const open = async (who: Person, body: object): Promise<string> =>
  (await who.client.post<RoomView>('/api/rooms', body)).body.id

async function life() {
  const [leaver, friend, third] = (await Promise.all(Array.from({ length: 3 }, () => person(system.url)))) as [
    Person,
    Person,
    Person,
  ]
  await leaver.client.put(`/api/friends/${friend.id}`)
  await leaver.client.put(`/api/friends/${third.id}`)
  await friend.client.put(`/api/friends/${third.id}`)
  await third.client.put(`/api/blocks/${leaver.id}`)
  const direct = await open(leaver, { type: 'direct', userId: friend.id })
  const group = await open(friend, { type: 'group', name: 'Group', userIds: [leaver.id] })
  await friend.client.post(`/api/rooms/${group}/members`, { userIds: [third.id] })
  await write(group, leaver, 1_200)
  await write(group, friend, 10)
  await write(direct, leaver, 3)
  return { leaver, friend, third, direct, group }
}

const traces = ({ id, username, displayName }: Person): string[] => [id, username, displayName]

async function assertGone({ leaver, friend, third, direct, group }: Awaited<ReturnType<typeof life>>) {
  await until('nothing of them', async () => (await tablesWith(databases.chat, traces(leaver))).length === 0)
  const types = await databases.log.query<{ type: string }>(
    `select type from log.record where key = $1 and type like 'chat.member-%' order by "offset"`,
    [leaver.id],
  )
  assert.deepEqual(
    types.map(({ type }) => type),
    ['chat.member-added', 'chat.member-suspended', 'chat.member-removed'],
  )
  assert.deepEqual(
    (await friend.client.get<{ items: { user: { id: string } }[] }>('/api/friends')).body.items.map(
      ({ user }) => user.id,
    ),
    [third.id],
  )
  assert.deepEqual((await third.client.get('/api/blocks')).body.items, [])
  const { body: room } = await friend.client.get<RoomView>(`/api/rooms/${group}`)
  assert.deepEqual(room.members.map(({ user }) => user.id).toSorted(), [friend.id, third.id].toSorted())
  assert.equal(room.lastMessage?.sender?.id, friend.id, 'what others wrote stays')
  const alone = (await friend.client.get<RoomView>(`/api/rooms/${direct}`)).body
  assert.deepEqual(
    [alone.members.length, alone.lastSeq, alone.lastMessage?.text, alone.lastMessage?.sender],
    [1, 3, null, null],
  )
  for (const path of ['/api/friends/', '/api/blocks/'])
    assertProblem(await friend.client.put(`${path}${leaver.id}`), 404, 'not_found')
  assertProblem(await friend.client.post('/api/rooms', { type: 'direct', userId: leaver.id }), 404, 'not_found')

  // Others have been told of each message, and of the room without them.
  const stream = await until('all of it on the stream', async () => {
    const rows = await databases.notification.query<{ type: string; data: string }>(
      'select type, data from saga.stream_event where stream = $1 order by seq',
      [friend.id],
    )
    const isTold = (roomId: string) =>
      rows.some(({ type, data }) => type === 'room.changed' && data.includes(roomId) && !data.includes(leaver.id))
    return isTold(direct) && isTold(group) && rows
  })
  const tombstones = stream
    .filter(({ type }) => type === 'message.deleted')
    .map(({ data }) => JSON.parse(data) as MessageView)
  assert.equal(tombstones.length, 1_203)
  assert.ok(tombstones.every(({ text, sender, deletedAt }) => text === null && sender === null && deletedAt !== null))
  await until('no membership and no friendship elsewhere', async () => {
    const found = await tablesWith(databases.notification, [leaver.id])
    return !found.includes('notification.room_member') && !found.includes('notification.friend')
  })
}

test('nothing of a deleted user is left in any table of the chat, and others were told', async () => {
  const story = await life()
  const { leaver } = story
  const { headers } = await leaver.client.delete('/api/me', { password: leaver.password })
  assert.equal((await sagaEnded(leaver.client, headers.location!)).status, 'completed')
  await assertGone(story)
  assertProblem(await leaver.client.get('/api/rooms'), 401, 'unauthenticated')
})

test('while it is erased the user is nobody; a process that stops in the middle is no harm', async () => {
  const story = await life()
  const { leaver, friend } = story
  // Erased only when this says so.
  await databases.chat.query(`alter table chat.chore add constraint held check (kind <> 'erase' or room_id is null)`)
  const { headers } = await leaver.client.delete('/api/me', { password: leaver.password })
  await sagaEnded(leaver.client, headers.location!)
  await until(
    'the first failure',
    async () => (await databases.chat.query('select from chat.chore where due_at > now()')).length === 1,
  )
  for (const [method, path] of [
    ['GET', '/api/friends'],
    ['GET', '/api/rooms'],
    ['GET', `/api/rooms/${story.group}`],
    ['DELETE', `/api/rooms/${story.group}/members/me`],
    ['PUT', `/api/friends/${friend.id}`],
  ] as const)
    assertProblem(await leaver.client.request(method, path), 401, 'unauthenticated')
  assertProblem(await friend.client.post('/api/rooms', { type: 'direct', userId: leaver.id }), 404, 'not_found')
  await system.stop()
  await databases.chat.query('alter table chat.chore drop constraint held')
  await databases.chat.query('update chat.chore set due_at = now()')
  const next = await system.join(['user', 'customer', 'chat', 'notification'])
  const there = (who: Person): Person => ({ ...who, client: new Client(next.url, { token: who.token }) })
  await assertGone({ ...story, friend: there(friend), third: there(story.third) })
})
