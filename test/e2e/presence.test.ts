// Who is there: told to those who may know, of all instances alike, without flapping, and also when an instance dies.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { PresenceView } from '@pando/events/views'
import { friendAdded, roomOf, roomOpened, say } from '../support/chat-events.ts'
import { assertProblem, Client, type EventStream } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { inherited } from '../support/process.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const LONGEST_MS = 60_000

const system = await startSystem({ after })
const other = await system.join(['notification'])
const chat = system.services.find(({ name }) => name === 'chat')!.db

async function open({ token }: Person, url = system.url): Promise<EventStream> {
  const stream = await new Client(url, { token }).stream('/api/stream')
  return stream.until('the first bytes', ({ retry }) => retry !== undefined)
}
const toldOf = ({ events }: EventStream, who: Person): PresenceView[] =>
  events
    .filter(({ event }) => event === 'presence')
    .map(({ data }) => JSON.parse(data) as PresenceView)
    .filter(({ userId }) => userId === who.id)
/** Whoever has just come may be told once more what was told shortly before: that is no news. */
const newsOf = (stream: EventStream, who: Person): PresenceView[] =>
  toldOf(stream, who).filter((view, i, views) => !isDeepStrictEqual(view, views[i - 1]))
const isTold = (stream: EventStream, who: Person, online: boolean, ms?: number): Promise<EventStream> =>
  stream.until(`${online ? 'here' : 'away'}`, () => toldOf(stream, who).at(-1)?.online === online, ms)
async function seen(viewer: Person, ...people: Person[]): Promise<PresenceView[]> {
  const { body, text } = await viewer.client.get<{ items: PresenceView[] }>(
    `/api/presence?userIds=${people.map(({ id }) => id).join()}`,
  )
  assert.ok(body.items, text)
  return body.items
}
const people = (count: number): Promise<Person[]> =>
  Promise.all(Array.from({ length: count }, () => person(system.url)))

/** Two friends, known as such, one of whom listens. */
async function friends(t: TestContext): Promise<{ one: Person; friend: Person; listening: EventStream }> {
  const [one, friend] = (await people(2)) as [Person, Person]
  await say(chat, friendAdded(one, friend))
  await until('the friendship', async () => (await seen(one, friend)).length === 1)
  const listening = await open(one)
  t.after(() => listening.close())
  await until('the listener is known', async () => (await seen(one, one))[0]!.online)
  return { one, friend, listening }
}

test('coming is told at once and going a little later, on all instances, to friends and members of shared rooms only', async (t) => {
  const [who, friend, roomMate, stranger] = (await people(4)) as [Person, Person, Person, Person]
  await say(chat, friendAdded(who, friend), roomOpened(roomOf([who, roomMate]), who))
  const listening = await Promise.all([
    open(friend),
    open(friend, other.url),
    open(roomMate, other.url),
    open(stranger),
  ])
  t.after(() => listening.forEach((stream) => stream.close()))
  await until(
    'all are known',
    async () => (await seen(who, friend, roomMate)).filter(({ online }) => online).length === 2,
  )
  assert.deepEqual(await seen(friend, who, stranger, friend), [
    { userId: who.id, online: false, lastSeenAt: null },
    ...(await seen(friend, friend)),
  ])
  const cameAt = Date.now()
  const stream = await open(who, other.url)
  for (const one of listening.slice(0, 3)) await isTold(one, who, true, 5_000)
  const [here] = await seen(friend, who)
  assert.equal(here!.online, true)
  assert.ok(Date.parse(here!.lastSeenAt!) >= cameAt - 1_000)
  for (const one of listening.slice(0, 3)) assert.deepEqual(newsOf(one, who), [here])
  const leftAt = Date.now()
  stream.close()
  for (const one of listening.slice(0, 3)) await isTold(one, who, false, 30_000)
  assert.ok(Date.now() - leftAt >= 9_000, 'not before the grace is over')
  const [away] = await seen(roomMate, who)
  assert.equal(away!.online, false)
  assert.ok(Math.abs(Date.parse(away!.lastSeenAt!) - leftAt) < 5_000)
  for (const one of listening.slice(0, 3)) assert.deepEqual(newsOf(one, who), [here, away])
  // The stranger's stream lives: it hears of a friendship, and maybe that the new friend is there, but never of who came and went. What is
  // told has no id.
  await say(chat, friendAdded(friend, stranger))
  await listening[3]!.until('another event', ({ events }) => events.length > 0)
  assert.deepEqual(toldOf(listening[3]!, who), [])
  assert.ok(listening[0]!.events.filter(({ event }) => event === 'presence').every(({ id }) => id === undefined))
  assert.deepEqual(await seen(stranger, who), [])
})

test('a stream that begins anew, here or elsewhere, is no absence, nor is one of several that ends', async (t) => {
  const { friend, listening } = await friends(t)
  let stream = await open(friend)
  await isTold(listening, friend, true)
  const second = await open(friend, other.url)
  for (const url of [other.url, system.url, other.url]) {
    stream.close()
    stream = await open(friend, url)
  }
  second.close()
  // As a rotation does it: ended by the server.
  system.hub.end(friend.id)
  other.hub.end(friend.id)
  await stream.ended()
  stream = await open(friend)
  // Somebody else who goes now goes after all that could have been told of this one.
  const { one, friend: mark } = await friends(t)
  const marker = await open(mark)
  await until('the mark', async () => (await seen(one, mark))[0]!.online)
  marker.close()
  await until('the mark has gone', async () => !(await seen(one, mark))[0]!.online, 30_000)
  assert.deepEqual(
    toldOf(listening, friend).map(({ online }) => online),
    [true],
  )
  stream.close()
})

test('an instance that drains takes nobody along who comes back elsewhere', async (t) => {
  const { one, friend, listening } = await friends(t)
  const third = await system.join(['notification'])
  const [stays, goes] = [await open(friend, third.url), await person(system.url)]
  await say(chat, friendAdded(one, goes))
  await until('the friendship', async () => (await seen(one, goes)).length === 1)
  const last = await open(goes, third.url)
  await isTold(listening, friend, true)
  await isTold(listening, goes, true)
  await third.stop()
  await Promise.all([stays.ended(), last.ended()])
  const back = await open(friend, other.url)
  await isTold(listening, goes, false, 30_000)
  assert.ok(
    toldOf(listening, friend).every(({ online }) => online),
    'the one who came back was never away',
  )
  back.close()
})

test('when an instance is killed its users are away within a minute', { timeout: 2 * LONGEST_MS }, async (t) => {
  const { friend, listening, one } = await friends(t)
  const moved = await person(system.url)
  await say(chat, friendAdded(one, moved))
  await until('the friendship', async () => (await seen(one, moved)).length === 1)
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../tools/service.ts'), 'notification'], {
    env: { ...inherited(), ...system.env, METRICS_PORT: 'off' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (text: Buffer) => (said += text.toString()))
  const url = await until('a ready line', () => /is ready at (http:\S+)/.exec(said)?.[1], LONGEST_MS)
  await open(friend, url)
  await open(moved, url)
  await isTold(listening, friend, true)
  await isTold(listening, moved, true)
  child.kill('SIGKILL')
  const killedAt = Date.now()
  await once(child, 'exit')
  const back = await open(moved)
  await isTold(listening, friend, false, LONGEST_MS)
  t.diagnostic(`${Date.now() - killedAt} ms`)
  assert.ok(Date.now() - killedAt < LONGEST_MS)
  const [away] = await seen(one, friend)
  assert.ok(Date.parse(away!.lastSeenAt!) < killedAt + 5_000, 'last seen when the instance was')
  assert.deepEqual(
    toldOf(listening, moved).map(({ online }) => online),
    [true],
  )
  back.close()
})

test('1 to 100 ids are asked for, and nothing else', async () => {
  const who = await person(system.url)
  const ids = (count: number): string => Array.from({ length: count }, () => crypto.randomUUID()).join()
  assert.deepEqual(await seen(who, who), [{ userId: who.id, online: false, lastSeenAt: null }])
  assert.equal((await who.client.get(`/api/presence?userIds=${ids(100)}`)).status, 200)
  for (const query of [
    '',
    '?userIds=',
    '?userIds=x',
    `?userIds=${who.id},`,
    `?userIds=${who.id.toUpperCase()}`,
    `?userIds=${ids(101)}`,
    `?userIds=${ids(1)}&userIds=${ids(1)}`,
  ])
    assertProblem(await who.client.get(`/api/presence${query}`), 400, 'validation_failed')
  assertProblem(await new Client(system.url).get(`/api/presence?userIds=${who.id}`), 401, 'unauthenticated')
})

test('two who become friends, or share a new room, are told whether the other one is there', async (t) => {
  const [one, friend, buyer] = (await people(3)) as [Person, Person, Person]
  const streams = await Promise.all([open(one), open(friend, other.url), open(buyer)])
  t.after(() => streams.forEach((stream) => stream.close()))
  await until('all are known', async () =>
    (await Promise.all([one, friend, buyer].map((who) => seen(who, who)))).every(([view]) => view!.online),
  )
  await one.client.put(`/api/friends/${friend.id}`)
  await isTold(streams[0], friend, true)
  await isTold(streams[1], one, true)
  await buyer.client.post('/api/rooms', { type: 'direct', userId: one.id })
  await isTold(streams[2], one, true)
  await isTold(streams[0], buyer, true)
})
