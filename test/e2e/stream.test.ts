// GET /api/stream: its wire form, what comes in which order, resuming on any instance, and what it answers to ids that cannot be served.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { purgeStreams } from '@pando/saga'
import {
  friendAdded,
  membersChanged,
  messageCreated,
  roomDeleted,
  roomOf,
  roomOpened,
  say,
} from '../support/chat-events.ts'
import { assertProblem, Client, type EventStream } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const other = await system.join(['notification'])
const chat = system.services.find(({ name }) => name === 'chat')!.db
const db = system.databases.notification

const at = ({ token }: Person, url: string): Client => new Client(url, { token })
const openStream = (who: Person, lastEventId?: string, url = system.url): Promise<EventStream> =>
  at(who, url).stream('/api/stream', lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } })
const hears = (stream: EventStream): Promise<EventStream> =>
  stream.until('the first bytes', ({ retry }) => retry !== undefined)
const stored = ({ events }: EventStream) => events.filter(({ id }) => id !== undefined)
const cursorOf = async (who: Person): Promise<string> =>
  (await who.client.get<{ cursor: string }>('/api/notifications/summary')).body.cursor

/** Two people in a room of theirs with so many messages; resolves when both streams have them all. */
async function talk(messages: number) {
  const [one, two] = await Promise.all([person(system.url), person(system.url)])
  const room = roomOf([one, two])
  const before = await cursorOf(two)
  await say(chat, roomOpened(room, one))
  for (let seq = 1; seq <= messages; seq++) await say(chat, messageCreated(room.id, seq, seq % 2 ? one : two))
  const count = messages + 2
  await until('all that is told', async () => (await cursorOf(two)) === `${before.split('-')[0]}-${count}`)
  return { one, two, room, before, count }
}

test('the head and the first bytes are as promised, and HEAD is not a stream', async () => {
  const who = await person(system.url)
  const stream = await hears(await openStream(who))
  const { status, headers, retry, comments, text } = stream
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.equal(headers['cache-control'], 'no-cache, no-transform')
  assert.equal(headers['x-accel-buffering'], 'no')
  assert.equal(headers['content-encoding'], undefined)
  assert.ok(headers['x-request-id'])
  assert.match(text, /^retry: \d{4}\n:.*\n\n$/)
  assert.ok(retry! >= 2_000 && retry! <= 5_000, String(retry))
  assert.equal(comments.length, 1)
  stream.close()
  const { status: head, headers: allow } = await at(who, system.url).request('HEAD', '/api/stream')
  assert.deepEqual([head, allow.allow], [405, 'GET'])
})

test('from now on: what was before is not told, what comes is, in order, to both and the sender too', async () => {
  const { one, two, room, count } = await talk(2)
  const streams = [await openStream(one), await openStream(two), await openStream(two, undefined, other.url)]
  for (const stream of streams) await hears(stream)
  for (const seq of [3, 4, 5]) await say(chat, messageCreated(room.id, seq, one))
  for (const stream of streams) {
    await stream.until('three messages', () => stored(stream).length === 3)
    assert.deepEqual(
      stored(stream).map(({ event, data }) => [event, (JSON.parse(data) as { seq: number }).seq]),
      [3, 4, 5].map((seq) => ['message.created', seq]),
    )
    assert.ok(stored(stream).every(({ data }) => !data.includes('\n')))
    stream.close()
  }
  assert.deepEqual(
    stored(streams[1]!).map(({ id }) => Number(id!.split('-')[1])),
    [1, 2, 3].map((n) => count + n),
  )
})

test('from every id, by header and by query, on both instances: exactly the rest', async () => {
  const { two, before, count } = await talk(6)
  const whole = await openStream(two, before)
  await whole.until('all', () => stored(whole).length === count)
  const events = stored(whole)
  assert.deepEqual(
    events.map(({ event }) => event),
    ['room.opened', 'notification.created', ...Array.from({ length: 6 }, () => 'message.created')],
  )
  whole.close()
  for (const [i, id] of [before, ...events.map((event) => event.id!)].entries())
    for (const url of [system.url, other.url])
      for (const stream of [
        await openStream(two, id, url),
        await at(two, url).stream(`/api/stream?lastEventId=${id}`),
        // The header wins.
        await at(two, url).stream(`/api/stream?lastEventId=${before}`, { headers: { 'last-event-id': id } }),
      ]) {
        await hears(stream)
        await stream.until('the rest', () => stored(stream).length >= events.length - i)
        assert.deepEqual(stored(stream), events.slice(i))
        stream.close()
      }
})

test('an id that cannot be served is answered with a reset, from which the stream goes on', async () => {
  const { one, two, room, count } = await talk(3)
  const epoch = (await cursorOf(two)).split('-')[0]!
  await db.query(`update saga.stream_event set created_at = now() - interval '8 days' where stream = $1 and seq <= 3`, [
    two.id,
  ])
  await purgeStreams(db, { events: 7, closed: 30 })
  const now = `${epoch}-${count}`
  let seq = 3
  for (const [what, id] of [
    ['another epoch', `x${epoch.slice(1)}-1`],
    ['from the future', `${epoch}-${count + 1_000}`],
    ['older than what is kept', `${epoch}-2`],
  ] as const) {
    const stream = await openStream(two, id, seq % 2 ? other.url : system.url)
    await stream.until(what, ({ events }) => events.length > 0)
    const cursor = await cursorOf(two)
    assert.deepEqual(stream.events, [{ event: 'reset', id: cursor, data: JSON.stringify({ cursor }) }], what)
    await say(chat, messageCreated(room.id, ++seq, one))
    await stream.until('what comes next', ({ events }) => events.length === 2)
    assert.equal(stream.events[1]!.event, 'message.created')
    stream.close()
  }
  const kept = await openStream(two, `${epoch}-3`)
  await kept.until('what is kept', () => stored(kept).length >= count - 3)
  assert.equal(stored(kept)[0]!.id, `${epoch}-4`)
  assert.ok(stored(kept).some(({ id }) => id === now))
  kept.close()
})

test('who comes into a room is shown it, who leaves hears no more of it, and its end is told to those who are left', async () => {
  const [one, two, three] = await Promise.all([person(system.url), person(system.url), person(system.url)])
  const streams = await Promise.all([one, two, three].map((who) => openStream(who).then(hears)))
  const pair = roomOf([one, two])
  const trio = roomOf([one, two, three], pair.id)
  await say(
    chat,
    roomOpened(pair, one),
    membersChanged(pair, [one, two, three], one),
    membersChanged(trio, [one, three], two),
    messageCreated(pair.id, 1, one),
    roomDeleted(pair),
    messageCreated(pair.id, 2, one),
  )
  const expected = [
    ['room.opened', 'room.changed', 'room.changed', 'message.created', 'room.deleted'],
    ['room.opened', 'notification.created', 'room.changed', 'room.deleted'],
    ['room.opened', 'notification.created', 'room.changed', 'message.created', 'room.deleted'],
  ]
  for (const [i, stream] of streams.entries()) {
    await stream.until('the end', () => stored(stream).at(-1)?.event === 'room.deleted')
    assert.deepEqual(
      stored(stream).map(({ event }) => event),
      expected[i],
    )
    const { reason } = JSON.parse(stored(stream).at(-1)!.data) as { reason: string }
    assert.equal(reason, i === 1 ? 'left' : 'empty')
  }
  // What comes next shows that nothing came in between.
  await say(chat, friendAdded(one, two), friendAdded(two, one), friendAdded(two, three))
  for (const [i, stream] of streams.entries()) {
    await stream.until('another', () => stored(stream).length > expected[i]!.length)
    assert.equal(stored(stream)[expected[i]!.length]!.event, 'notification.created')
    stream.close()
  }
})

test("another's id shows nothing of the other's", async () => {
  const { two, before, count } = await talk(4)
  const stranger = await person(system.url)
  const theirs = `${before.split('-')[0]}-${count}`
  const stream = await openStream(stranger, theirs)
  await stream.until('a reset', ({ events }) => events.length > 0)
  const own = await cursorOf(stranger)
  assert.deepEqual(stream.events, [{ event: 'reset', id: own, data: JSON.stringify({ cursor: own }) }])
  // What the other is told goes past, what the stranger is told does not.
  await say(chat, friendAdded(two, stranger))
  await stream.until('the notification', ({ events }) => events.length > 1)
  assert.deepEqual(
    stream.events.slice(1).map(({ event }) => event),
    ['notification.created'],
  )
  assert.equal(stream.text.includes('message 1'), false)
  stream.close()
})

test('a malformed id is a problem before the stream begins, and so is a missing token', async () => {
  const who = await person(system.url)
  const { client } = who
  for (const id of [
    'x',
    'e-',
    '-1',
    'e-01',
    'E-1',
    'e-1-1',
    `e-${'1'.repeat(17)}`,
    `${'e'.repeat(33)}-1`,
    'x'.repeat(10_240),
  ]) {
    assertProblem(await client.get('/api/stream', { 'last-event-id': id }), 400, 'validation_failed')
    assertProblem(await client.get(`/api/stream?lastEventId=${encodeURIComponent(id)}`), 400, 'validation_failed')
  }
  assertProblem(await client.get('/api/stream?lastEventId=a-1&lastEventId=a-2'), 400, 'validation_failed')
  assertProblem(await client.get('/api/stream?lastEventId=e%0a-1'), 400, 'validation_failed')
  assertProblem(await new Client(system.url).get('/api/stream'), 401, 'unauthenticated')
  assertProblem(await new Client(other.url).get('/api/stream'), 401, 'unauthenticated')
  const empty = await hears(await client.stream('/api/stream?lastEventId='))
  empty.close()
})

test('the seventh stream of a user is told to come later, and others are not concerned', async () => {
  const [who, somebody] = await Promise.all([person(system.url), person(system.url)])
  const six = await Promise.all(Array.from({ length: 6 }, () => openStream(who).then(hears)))
  const seventh = await openStream(who)
  assert.deepEqual(await seventh.ended(), [{ event: 'busy', id: undefined, data: '{}' }])
  assert.equal(seventh.status, 200)
  assert.ok(seventh.retry! >= 30_000)
  const free = await hears(await openStream(somebody))
  six[0]!.close()
  await until('a free place', async () => {
    const again = await openStream(who)
    await hears(again)
    const isOpen = again.retry! < 30_000
    again.close()
    return isOpen
  })
  for (const stream of [...six, free]) stream.close()
})

test('without a single hint between the instances everything comes all the same, each once', async (t) => {
  const lost = [system, other].map(({ transport }) => t.mock.method(transport, 'hint', () => {}))
  const [one, two] = await Promise.all([person(system.url), person(system.url)])
  const room = roomOf([one, two])
  const streams = await Promise.all([system.url, other.url].map((url) => openStream(two, undefined, url).then(hears)))
  await say(chat, roomOpened(room, one))
  for (let seq = 1; seq <= 20; seq++) await say(chat, messageCreated(room.id, seq, one))
  for (const stream of streams) {
    await stream.until('all', () => stored(stream).length >= 22, 30_000)
    assert.deepEqual(
      stored(stream).map(({ id }) => Number(id!.split('-')[1])),
      Array.from({ length: 22 }, (_, i) => i + 1),
    )
    stream.close()
  }
  assert.ok(lost.some(({ mock }) => mock.calls.some(({ arguments: [text] }) => text?.includes(two.id))))
})
