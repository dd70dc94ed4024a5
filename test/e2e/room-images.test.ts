// Images in rooms: sent once by who has uploaded them, seen by whoever is in the room, and gone with the message, the room or the account.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { MessageView, RoomView } from '@pando/events/views'
import sharp from 'sharp'
import { assertProblem } from '../support/client.ts'
import { person, type Person, sagaEnded } from '../support/people.ts'
import { offer } from '../support/posts.ts'
import { tablesWith } from '../support/scan.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'
import { followUser } from '../support/user-stream.ts'

const system = await startSystem({ after })
const { chat, market } = system.databases
const jpeg = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#2e7d32' } })
  .jpeg()
  .toBuffer()

async function upload({ token }: Person): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(jpeg)]), 'plant.jpg')
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${system.url}/api/images`, { method: 'POST', body: form, headers })
  assert.equal(answer.status, 201)
  return ((await answer.json()) as { id: string }).id
}
async function look(id: string, who?: Person): Promise<number> {
  const headers: Record<string, string> = who ? { authorization: `Bearer ${who.token}` } : {}
  const answer = await fetch(`${system.url}/api/images/${id}`, { headers })
  await answer.arrayBuffer()
  if (answer.status === 200) assert.equal(answer.headers.get('cache-control'), 'private, no-cache')
  return answer.status
}
const send = (who: Person, roomId: string, imageId: string, clientMessageId = randomUUID()) =>
  who.client.post<MessageView>(`/api/rooms/${roomId}/messages`, { clientMessageId, imageId })
async function share(who: Person, roomId: string): Promise<{ id: string; seq: number }> {
  const id = await upload(who)
  const { status, body, text } = await send(who, roomId, id)
  assert.equal(status, 201, text)
  return { id, seq: body.seq }
}
const people = (count: number): Promise<Person[]> =>
  Promise.all(Array.from({ length: count }, () => person(system.url)))
async function groupOf(owner: Person, ...others: Person[]): Promise<string> {
  for (const { id } of others) await owner.client.put(`/api/friends/${id}`)
  const userIds = others.map(({ id }) => id)
  const { status, body, text } = await owner.client.post<RoomView>('/api/rooms', { type: 'group', name: 'x', userIds })
  assert.equal(status, 201, text)
  return body.id
}
const isReleased = (id: string) =>
  until('the image is given up', async () => {
    const [row] = await market.query<{ state: string }>('select state from market.image where id = $1', [id])
    return row?.state === 'released'
  })

test('who is in the room sees an image as soon as they are told of it; nobody else does, nor who has left', async (t) => {
  const [owner, member, leaver, stranger] = (await people(4)) as [Person, Person, Person, Person]
  const roomId = await groupOf(owner, member, leaver)
  const stream = await followUser(t, async () => ({ url: system.url, token: member.token }))
  const imageId = await upload(owner)
  const clientMessageId = randomUUID()
  const { status, body: message, text } = await send(owner, roomId, imageId, clientMessageId)
  assert.equal(status, 201, text)
  assert.deepEqual([message.kind, message.text, message.imageId], ['image', null, imageId])
  const told = await until('the member is told', () =>
    stream.stored().find(({ event, data }) => event === 'message.created' && data.includes(imageId)),
  )
  assert.deepEqual(JSON.parse(told.data), message)
  for (const who of [member, leaver, owner]) assert.equal(await look(imageId, who), 200)
  for (const who of [stranger, undefined]) assert.equal(await look(imageId, who), 404)
  const { items } = (await member.client.get<{ items: MessageView[] }>(`/api/rooms/${roomId}/messages`)).body
  assert.deepEqual(items, [message])

  const again = await send(owner, roomId, imageId, clientMessageId)
  assert.deepEqual([again.status, again.body], [200, message])
  assertProblem(
    await owner.client.post(`/api/rooms/${roomId}/messages`, { clientMessageId, text: 'x' }),
    409,
    'conflict',
  )
  for (const [who, id] of [
    [owner, imageId],
    [member, imageId],
    [member, await upload(owner)],
  ] as const) {
    const { errors } = assertProblem(await send(who, roomId, id), 400, 'validation_failed')
    assert.deepEqual(errors, [{ path: '/imageId', message: 'is no image of yours, or is in use already' }])
  }
  const draft = { title: 'x', content: 'x', price: 1, imageIds: [imageId] }
  assertProblem(await owner.client.post('/api/posts', draft), 400, 'validation_failed')

  await leaver.client.delete(`/api/rooms/${roomId}/members/me`)
  await until('not who has left', async () => (await look(imageId, leaver)) === 404)
  await owner.client.put(`/api/friends/${stranger.id}`)
  await owner.client.post(`/api/rooms/${roomId}/members`, { userIds: [stranger.id] })
  assert.equal(await look(imageId, stranger), 200, 'who comes sees what was sent before')
})

test('with the message goes its image', async () => {
  const [owner, member] = (await people(2)) as [Person, Person]
  const roomId = await groupOf(owner, member)
  const [gone, stays] = [await share(owner, roomId), await share(owner, roomId)]
  assert.equal(await look(gone.id, member), 200)
  assert.equal((await owner.client.delete(`/api/rooms/${roomId}/messages/${gone.seq}`)).status, 204)
  await isReleased(gone.id)
  for (const who of [owner, member]) assert.equal(await look(gone.id, who), 404)
  assert.equal(await look(stays.id, member), 200)
  assertProblem(await send(owner, roomId, gone.id), 400, 'validation_failed')
})

test('with a post that is deleted go the images of its rooms', async () => {
  const [seller, buyer] = (await people(2)) as [Person, Person]
  const post = await offer(seller)
  const roomId = (await buyer.client.post<RoomView>('/api/rooms', { type: 'trade', postId: post.id })).body.id
  const images = [await share(buyer, roomId), await share(seller, roomId)]
  for (const { id } of images) for (const who of [buyer, seller]) assert.equal(await look(id, who), 200)
  const { headers } = await seller.client.delete(`/api/posts/${post.id}`)
  assert.equal((await sagaEnded(seller.client, headers.location!)).status, 'completed')
  for (const { id } of images) await isReleased(id)
  assert.equal(await look(images[0]!.id, seller), 404)
  await until('nobody is in the room', async () => {
    return (await market.query('select from market.room_member where room_id = $1', [roomId])).length === 0
  })
})

test('with a group that all have left go its images', async () => {
  const [owner, member] = (await people(2)) as [Person, Person]
  const roomId = await groupOf(owner, member)
  const { id } = await share(member, roomId)
  assert.equal(await look(id, owner), 200)
  for (const who of [member, owner])
    assert.equal((await who.client.delete(`/api/rooms/${roomId}/members/me`)).status, 204)
  await isReleased(id)
})

test('with an account go its images, sent or not, and the others’ stay', async () => {
  const [leaver, other] = (await people(2)) as [Person, Person]
  const roomId = await groupOf(leaver, other)
  const [theirs, others] = [await share(leaver, roomId), await share(other, roomId)]
  const unsent = await upload(leaver)
  assert.equal(await look(theirs.id, other), 200)
  const { headers } = await leaver.client.delete('/api/me', { password: leaver.password })
  assert.equal((await sagaEnded(leaver.client, headers.location!)).status, 'completed')
  for (const id of [theirs.id, unsent]) await isReleased(id)
  assert.equal(await look(theirs.id, other), 404)
  await until('nothing of them in the chat', async () => (await tablesWith(chat, [leaver.id])).length === 0)
  await until('they are in no room', async () => {
    return (await market.query('select from market.room_member where user_id = $1', [leaver.id])).length === 0
  })
  assert.equal(await look(others.id, other), 200)
})
