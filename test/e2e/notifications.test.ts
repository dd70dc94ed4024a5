// Notifications: who gets which, how they are listed, read and deleted, and that the stream's last count is the true one.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { NotificationView } from '@pando/events/views'
import { friendAdded, membersChanged, roomOf, roomOpened, say } from '../support/chat-events.ts'
import { assertProblem, Client, type EventStream } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const other = await system.join(['notification'])
const chat = system.services.find(({ name }) => name === 'chat')!.db
const db = system.databases.notification

interface List {
  items: NotificationView[]
  next: string | null
}
interface Summary {
  unread: number
  cursor: string
}
const list = async ({ client }: Person, query = ''): Promise<List> =>
  (await client.get<List>(`/api/notifications${query}`)).body
const summary = async ({ client }: Person): Promise<Summary> =>
  (await client.get<Summary>('/api/notifications/summary')).body
const dataOf = (stream: EventStream, type: string): unknown[] =>
  stream.events.filter(({ event }) => event === type).map(({ data }) => JSON.parse(data) as unknown)

/** Somebody with so many notifications, and an open stream. */
async function notified(count: number): Promise<{ who: Person; stream: EventStream; items: NotificationView[] }> {
  const [who, friend] = await Promise.all([person(system.url), person(system.url)])
  const stream = await who.client.stream('/api/stream')
  await stream.until('the first bytes', ({ retry }) => retry !== undefined)
  for (let i = 0; i < count; i++) await say(chat, friendAdded(friend, who))
  await until('all', async () => (await summary(who)).unread === count)
  return { who, stream, items: (await list(who, '?limit=100')).items }
}

test('a friend, and a room that somebody else opens or brings one into, are told once, on the stream and in the list', async () => {
  const [one, two, three] = await Promise.all([person(system.url), person(system.url), person(system.url)])
  const streams = await Promise.all([one, two, three].map(({ client }) => client.stream('/api/stream')))
  for (const stream of streams) await stream.until('the first bytes', ({ retry }) => retry !== undefined)
  const room = roomOf([one, two])
  await say(chat, friendAdded(one, two))
  await until('the first', async () => (await summary(two)).unread === 1)
  await say(chat, roomOpened(room, one), membersChanged(room, [one, two, three], two))
  await until('the others', async () => (await summary(two)).unread === 2 && (await summary(three)).unread === 1)
  const by = ({ id, displayName }: Person) => ({ id, displayName })
  const roomData = { roomId: room.id, roomType: 'group', roomName: 'Room' }
  const url = `/rooms/${room.id}`
  const what = async (who: Person) => (await list(who)).items.map(({ type, data, url }) => ({ type, data, url }))
  assert.deepEqual(await what(one), [])
  assert.deepEqual(await what(two), [
    { type: 'room_opened', data: { ...roomData, by: by(one) }, url },
    { type: 'friend_added', data: { user: by(one) }, url: '/friends' },
  ])
  assert.deepEqual(await what(three), [{ type: 'room_opened', data: { ...roomData, by: by(two) }, url }])
  for (const [i, who] of [one, two, three].entries()) {
    const { items } = await list(who)
    await streams[i]!.until('what is listed', (stream) => dataOf(stream, 'notification.created').length >= items.length)
    assert.deepEqual(dataOf(streams[i]!, 'notification.created'), items.toReversed())
    streams[i]!.close()
  }
})

test('the list has everything once, newest first, whatever the size of the pages', async () => {
  const { who, stream, items } = await notified(7)
  stream.close()
  assert.deepEqual(
    items,
    items.toSorted((a, b) => (a.id < b.id ? 1 : -1)),
  )
  for (const limit of [1, 3, 7, 100]) {
    const found: NotificationView[] = []
    for (let query = `?limit=${limit}`; query !== '';) {
      const page = await list(who, query)
      assert.ok(page.items.length <= limit)
      found.push(...page.items)
      query = page.next === null ? '' : `?limit=${limit}&cursor=${encodeURIComponent(page.next)}`
    }
    assert.deepEqual(found, items)
  }
  for (const query of ['limit=0', 'limit=101', 'cursor=x', `cursor=${Buffer.from('7').toString('base64url')}`])
    assertProblem(await who.client.get(`/api/notifications?${query}`), 400, 'validation_failed')
})

test('read one, read up to one, delete: done once however often, and each change tells the count that is left', async () => {
  const { who, stream, items } = await notified(6)
  const counts = (): unknown[] => dataOf(stream, 'notification.read')
  const [newest, second, third, , , oldest] = items.map(({ id }) => id)
  for (let i = 0; i < 2; i++) assert.equal((await who.client.put(`/api/notifications/${third}/read`)).status, 204)
  assert.equal((await summary(who)).unread, 5)
  assert.equal(typeof (await list(who)).items[2]!.readAt, 'string')
  for (let i = 0; i < 2; i++)
    assert.equal((await who.client.put('/api/notifications/read', { upTo: second })).status, 204)
  assert.equal((await summary(who)).unread, 1)
  assert.deepEqual(
    (await list(who)).items.map(({ readAt }) => readAt === null),
    [true, false, false, false, false, false],
  )
  assert.equal((await who.client.delete(`/api/notifications/${oldest}`)).status, 204)
  assert.equal((await who.client.delete(`/api/notifications/${newest}`)).status, 204)
  assertProblem(await who.client.delete(`/api/notifications/${newest}`), 404, 'not_found')
  assert.deepEqual(
    (await list(who)).items.map(({ id }) => id),
    items.slice(1, 5).map(({ id }) => id),
  )
  const expected = [5, 1, 1, 0].map((unread) => ({ unread }))
  await stream.until('the counts', () => counts().length >= expected.length)
  assert.deepEqual(counts(), expected)
  assert.equal((await summary(who)).cursor, stream.events.findLast(({ id }) => id !== undefined)!.id)
  stream.close()
})

test("an id that is not there, is no UUID, or is somebody else's is not found, and changes nothing", async () => {
  const [{ who, stream, items }, stranger] = await Promise.all([notified(1), person(system.url)])
  const id = items[0]!.id
  for (const [client, ids] of [
    [who.client, [randomUUID(), 'x', id.toUpperCase()]],
    [stranger.client, [id]],
  ] as const)
    for (const one of ids) {
      assertProblem(await client.put(`/api/notifications/${one}/read`), 404, 'not_found')
      assertProblem(await client.put('/api/notifications/read', { upTo: one }), 404, 'not_found')
      assertProblem(await client.delete(`/api/notifications/${one}`), 404, 'not_found')
    }
  assertProblem(await who.client.put('/api/notifications/read', {}), 400, 'validation_failed')
  assertProblem(await who.client.put('/api/notifications/read', { upTo: 7 }), 400, 'validation_failed')
  assert.equal((await summary(who)).unread, 1)
  assert.deepEqual((await list(who)).items, items)
  stream.close()
})

test('changes at once on both instances, while more come: the last count on the stream is the true one', async () => {
  const { who, stream, items } = await notified(30)
  const friend = await person(system.url)
  const clients = [who.client, new Client(other.url, { token: who.token })]
  const arriving = (async () => {
    for (let i = 0; i < 20; i++) await say(chat, friendAdded(friend, who))
  })()
  const statuses = await Promise.all(
    items.map(async ({ id }, i) => {
      const client = clients[i % 2]!
      const ask = [
        () => client.put(`/api/notifications/${id}/read`),
        () => client.delete(`/api/notifications/${id}`),
        () => client.put('/api/notifications/read', { upTo: id }),
      ][i % 3]!
      return (await ask()).status
    }),
  )
  await arriving
  assert.deepEqual(new Set(statuses), new Set([204]))
  const created = 50
  await stream.until('all that came', () => dataOf(stream, 'notification.created').length === created)
  const { unread, cursor } = await summary(who)
  await stream.until('the last', ({ events }) => events.findLast(({ id }) => id !== undefined)?.id === cursor)
  // What a client counts: the last count it was told, and what was created after it.
  let counted = 0
  for (const { event, data } of stream.events) {
    if (event === 'notification.created') counted++
    if (event === 'notification.read') {
      const told = (JSON.parse(data) as { unread: number }).unread
      assert.ok(told <= counted, 'no count is higher than what a client knows')
      counted = told
    }
  }
  assert.equal(counted, unread)
  stream.close()
})

test('a summary and the stream from its cursor on are the state, whenever it was asked for', async () => {
  const { who, stream } = await notified(0)
  stream.close()
  const friend = await person(system.url)
  const arriving = (async () => {
    for (let i = 0; i < 40; i++) await say(chat, friendAdded(friend, who))
  })()
  const clients = await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      await until('some more', async () => (await summary(who)).unread >= i)
      return summary(who)
    }),
  )
  await arriving
  await until('all', async () => (await summary(who)).unread === 40)
  const { cursor } = await summary(who)
  const distinct = new Map(clients.map((one) => [one.cursor, one]))
  assert.ok(distinct.size > 1)
  for (const { unread, cursor: from } of distinct.values()) {
    const rest = await who.client.stream('/api/stream', { headers: { 'last-event-id': from } })
    await rest.until('the rest', ({ events }) => from === cursor || events.at(-1)?.id === cursor)
    assert.equal(unread + dataOf(rest, 'notification.created').length, 40)
    rest.close()
  }
})

test('nothing of a deleted account stays', async () => {
  const { who, stream } = await notified(2)
  await until(
    'online',
    async () => (await db.query('select from notification.online where user_id = $1', [who.id])).length === 1,
  )
  const { status } = await who.client.delete('/api/me', { password: who.password })
  assert.equal(status, 202)
  await stream.ended()
  for (const table of ['notification', 'presence', 'online'])
    await until(`nothing in ${table}`, async () => {
      const left = await db.query(`select from notification.${table} where user_id = $1`, [who.id])
      return left.length === 0
    })
  assertProblem(await who.client.get('/api/notifications'), 401, 'unauthenticated')
})
