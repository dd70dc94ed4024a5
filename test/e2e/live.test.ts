// @pando/live against Pando itself: what it keeps is what a fresh fetch shows, over log-outs, processes that stop, and a full server.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { MessageView, NotificationView, RoomView } from '@pando/events/views'
import {
  applyToMessages,
  applyToNotifications,
  applyToRooms,
  byFetch,
  createLive,
  type LiveOptions,
  type LiveState,
  type NotificationState,
} from '@pando/live'
import { Client } from '../support/client.ts'
import { logIn, person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })

interface Shown {
  rooms: readonly RoomView[]
  notifications: Pick<NotificationState, 'unread' | 'items'>
}

async function get<Body>(client: Client, path: string): Promise<Body> {
  const { status, body, text } = await client.get<Body>(path)
  assert.equal(status, 200, text)
  return body
}
const roomsOf = async (client: Client): Promise<RoomView[]> =>
  (await get<{ items: RoomView[] }>(client, '/api/rooms?limit=100')).items
async function notificationsOf(client: Client): Promise<NotificationState> {
  const summary = await get<{ unread: number; cursor: string }>(client, '/api/notifications/summary')
  const { items } = await get<{ items: NotificationView[] }>(client, '/api/notifications?limit=100')
  return { ...summary, items }
}

/** A client as a page would have one: somebody's rooms and notifications, kept by their stream. */
function open(t: TestContext, who: Person, options: Partial<LiveOptions> = {}) {
  let client = who.client
  let rooms: readonly RoomView[] = []
  let notifications: NotificationState = { items: [], unread: 0, cursor: '' }
  let token = who.token
  let loads = 0
  const states: LiveState[] = []
  const live = createLive({
    url: `${system.url}/api/stream`,
    token: () => token,
    position: async () => (await notificationsOf(client)).cursor,
    onState: (state) => states.push(state),
    async onUnauthenticated() {
      token = await logIn(system.url, who)
      client = new Client(system.url, { token })
    },
    ...options,
  })
  live.load(async () => {
    rooms = await roomsOf(client)
    loads++
  })
  live.load(async () => void (notifications = await notificationsOf(client)))
  live.on('*', (event) => {
    rooms = applyToRooms(rooms, event, who.id)
    notifications = applyToNotifications(notifications, event)
  })
  live.start()
  t.after(() => live.stop())
  const shown = (): Shown => ({ rooms, notifications: { unread: notifications.unread, items: notifications.items } })
  return {
    live,
    states,
    shown,
    get loads() {
      return loads
    },
    opened: () => until('open', () => live.state === 'open' && loads > 0),
    /** Resolves when it shows what a fetch brings. */
    async agrees(): Promise<Shown> {
      let difference: unknown[] = []
      await until('agreement', async () => {
        const { unread, items } = await notificationsOf(client)
        difference = [shown(), { rooms: await roomsOf(client), notifications: { unread, items } }]
        return isDeepStrictEqual(difference[0], difference[1])
      }).catch(() => assert.deepEqual(difference[0], difference[1]))
      return shown()
    },
  }
}

const say = async ({ client }: Person, roomId: string, text: string): Promise<MessageView> => {
  const answer = await client.post<MessageView & Record<string, unknown>>(`/api/rooms/${roomId}/messages`, {
    clientMessageId: randomUUID(),
    text,
  })
  assert.equal(answer.status, 201, answer.text)
  return answer.body
}
const openRoom = async ({ client }: Person, wanted: object): Promise<RoomView> => {
  const answer = await client.post<RoomView & Record<string, unknown>>('/api/rooms', wanted)
  assert.equal(answer.status, 201, answer.text)
  return answer.body
}
const done = async (answer: Promise<{ status: number; text: string }>, status = 204): Promise<void> =>
  assert.equal((await answer).status, status, (await answer).text)

test('rooms, badge and notifications are right while others write, and after one’s session has ended', async (t) => {
  const [ann, bob, cho] = await Promise.all([person(system.url), person(system.url), person(system.url)])
  const page = open(t, ann)
  await page.opened()
  await done(bob.client.put(`/api/friends/${ann.id}`))
  const direct = await openRoom(bob, { type: 'direct', userId: ann.id })
  const first = await say(bob, direct.id, '안녕 🌱')
  await until('unread', () => page.shown().rooms[0]?.unread === 1)

  // A page of messages that is opened later.
  let messages: readonly MessageView[] = []
  page.live.load(async () => {
    messages = (await get<{ items: MessageView[] }>(ann.client, `/api/rooms/${direct.id}/messages?after=0`)).items
  })
  page.live.on('*', (event) => (messages = applyToMessages(messages, event, direct.id)))
  await until('loaded', () => messages.length === 1)

  // The stream ends with its session; the page gets another.
  await done(ann.client.delete('/api/sessions'))
  const group = await openRoom(bob, { type: 'group', name: 'Ferns', userIds: [ann.id] })
  await say(bob, group.id, 'one')
  await done(bob.client.put(`/api/friends/${cho.id}`))
  await done(bob.client.post(`/api/rooms/${group.id}/members`, { userIds: [cho.id] }), 200)
  await done(bob.client.delete(`/api/rooms/${direct.id}/messages/${first.seq}`))
  await say(bob, direct.id, 'two')
  await until('back', () => page.shown().rooms.length === 2 && messages.length === 2)
  const { rooms, notifications } = await page.agrees()
  assert.deepEqual(
    rooms.map(({ id, unread, members }) => [id, unread, members.length]),
    [
      [direct.id, 2, 2],
      [group.id, 2, 3],
    ],
  )
  assert.equal(messages[0]?.deletedAt === null, false)
  // A friend, two rooms.
  assert.equal(notifications.unread, 3)
  assert.deepEqual([page.loads, page.states.includes('offline')], [1, false])
})

test('a process that stops takes nothing with it', async (t) => {
  const other = await system.join(['notification'])
  const [ann, bob] = await Promise.all([person(system.url), person(system.url)])
  let url = other.url
  const page = open(t, ann, { connect: (target, on) => byFetch({ ...target, url: `${url}/api/stream` }, on) })
  await page.opened()
  const { id } = await openRoom(bob, { type: 'direct', userId: ann.id })
  await say(bob, id, '1')
  await until('the first', () => page.shown().rooms[0]?.lastSeq === 1)
  url = system.url
  const stopping = other.stop()
  for (let n = 2; n <= 20; n++) await say(bob, id, `${n}`)
  await stopping
  await until('the last', () => page.shown().rooms[0]?.lastSeq === 20)
  await page.agrees()
  assert.equal(page.loads, 1)
})

test('the seventh tab of one user shows what there is, and says that it is not live', async (t) => {
  const ann = await person(system.url)
  const tabs = Array.from({ length: 6 }, () => open(t, ann))
  await Promise.all(tabs.map((tab) => tab.opened()))
  const seventh = open(t, ann)
  await until('told', () => seventh.live.state === 'offline' && seventh.loads > 0)
})
