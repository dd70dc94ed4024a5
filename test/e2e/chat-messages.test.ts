// Messages of rooms over HTTP: send, history, delete, read, typing.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { MessageView } from '@pando/events/views'
import { type Answer, assertProblem, Client } from '../support/client.ts'
import { serveStreams } from '../support/open-streams.ts'
import { person } from '../support/people.ts'
import { addRoom, readStateOf } from '../support/rooms.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const apart = await system.join(['chat'])
const db = system.databases.chat
const [anna, ben, carl] = await Promise.all([person(system.url), person(system.url), person(system.url)])

interface Page {
  items: MessageView[]
  next: number | null
}
const messagesOf = (roomId: string): string => `/api/rooms/${roomId}/messages`
const send = (who: { client: Client }, roomId: string, text: string, clientMessageId: string = randomUUID()) =>
  who.client.post<MessageView>(messagesOf(roomId), { clientMessageId, text })
const history = async ({ client }: { client: Client }, roomId: string, query = ''): Promise<Page> => {
  const { status, body, text } = await client.get<Page>(`${messagesOf(roomId)}${query}`)
  assert.equal(status, 200, text)
  return body
}
const seqs = ({ items }: Page): number[] => items.map(({ seq }) => seq)
const at = (client: Client, { token }: { token: string }) => new Client(client.url, { token })
const faultsOf = (answer: Answer<unknown>): string[] =>
  (assertProblem(answer, 400, 'validation_failed').errors as { path: string }[]).map(({ path }) => path)

/** What the log has of the room's messages: in the order in which everybody reads them. */
async function logged(roomId: string, type: string): Promise<{ seq: number; traceparent?: string; data: unknown }[]> {
  const rows = await system.databases.log.query<{ body: string }>(
    `select r.body from log.record r join log.partition p on p.id = r.partition_id
     where p.topic = 'chat' and r.key = $1 and r.type = $2 order by r."offset"`,
    [roomId, type],
  )
  return rows.map(({ body }) => {
    const { traceparent, data } = JSON.parse(body) as { traceparent?: string; data: { message?: { seq: number } } }
    return { seq: data.message?.seq ?? 0, ...(traceparent !== undefined && { traceparent }), data }
  })
}

test('a message that is sent is what everybody in the room sees, and an event', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const clientMessageId = randomUUID()
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  const text = '물 주셨나요? 🌵\n "yes"  '
  const { status, body } = await anna.client.post<MessageView>(
    messagesOf(roomId),
    { clientMessageId, text },
    { traceparent },
  )
  assert.equal(status, 201)
  const { createdAt, ...rest } = body
  assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, {
    roomId,
    seq: 1,
    sender: { id: anna.id, displayName: anna.displayName },
    kind: 'text',
    text,
    clientMessageId,
    deletedAt: null,
  })
  assert.deepEqual(await history(ben, roomId), { items: [body], next: null })
  const [event] = await until('the event in the log', async () => {
    const events = await logged(roomId, 'chat.message-created')
    return events.length > 0 && events
  })
  assert.deepEqual(event, { seq: 1, traceparent, data: { message: body } })
  const { reads } = await readStateOf(db, roomId)
  assert.deepEqual([reads.get(anna.id), reads.get(ben.id)], [1, 0])
})

test('the same message fifty times at once on two instances is one; another body is a conflict', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const clientMessageId = randomUUID()
  const clients = [anna.client, at(new Client(apart.url), anna)]
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => send({ client: clients[i % 2]! }, roomId, 'once', clientMessageId)),
  )
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  assert.equal(answers.filter(({ status }) => status === 200).length, 49)
  for (const { body } of answers) assert.deepEqual(body, answers[0]!.body)
  for (const client of clients) assertProblem(await send({ client }, roomId, 'twice', clientMessageId), 409, 'conflict')
  assert.deepEqual((await history(anna, roomId)).items, [answers[0]!.body])
  const own = await send(ben, roomId, 'twice', clientMessageId)
  assert.deepEqual([own.status, own.body.seq], [201, 2], 'the id is unique per sender')
})

test('sixteen senders on two instances: seqs without gaps, events in their order, and another room has its own', async () => {
  const [crowd, quiet] = await Promise.all([addRoom(db, [anna.id, ben.id, carl.id]), addRoom(db, [anna.id, ben.id])])
  const people = [anna, ben, carl]
  const end = performance.now() + 5_000
  let sent = 0
  let aside = 0
  await Promise.all([
    ...Array.from({ length: 16 }, async (_, n) => {
      const who = people[n % people.length]!
      const client = n % 2 === 0 ? who.client : at(new Client(apart.url), who)
      // Each sender's own messages must stay in the order in which they were answered.
      for (let before = 0; performance.now() < end; sent++) {
        const { status, body, text } = await send({ client }, crowd, `${n}`)
        assert.equal(status, 201, text)
        assert.ok(body.seq > before)
        before = body.seq
      }
    }),
    (async () => {
      while (performance.now() < end) assert.equal((await send(ben, quiet, 'aside')).body.seq, ++aside)
    })(),
  ])
  const expected = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
  for (const [roomId, count] of [
    [crowd, sent],
    [quiet, aside],
  ] as const) {
    const stored = await db.query<{ seq: number }>('select seq from chat.message where room_id = $1 order by seq', [
      roomId,
    ])
    assert.deepEqual(
      stored.map(({ seq }) => seq),
      expected(count),
    )
    assert.equal((await readStateOf(db, roomId)).lastSeq, count)
    const events = await until('all events in the log', async () => {
      const found = await logged(roomId, 'chat.message-created')
      return found.length >= count && found
    })
    assert.deepEqual(
      events.map(({ seq }) => seq),
      expected(count),
    )
  }
  assert.ok(sent > 100, `only ${sent} were sent`)
})

test('what is no message is refused, each with what is wrong, and nothing is stored', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const clientMessageId = randomUUID()
  for (const [body, path] of [
    [{}, '/clientMessageId'],
    [{ clientMessageId }, '/text'],
    [{ text: 'x' }, '/clientMessageId'],
    [{ clientMessageId: 'x', text: 'x' }, '/clientMessageId'],
    [{ clientMessageId: 1, text: 'x' }, '/clientMessageId'],
    [{ clientMessageId, text: '' }, '/text'],
    [{ clientMessageId, text: null }, '/text'],
    [{ clientMessageId, text: 1 }, '/text'],
    [{ clientMessageId, text: ['x'] }, '/text'],
    [{ clientMessageId, text: 'x'.repeat(4001) }, '/text'],
    [{ clientMessageId, text: '🌵'.repeat(4001) }, '/text'],
    [{ clientMessageId, text: 'x', imageId: randomUUID() }, '/imageId'],
    [{ clientMessageId, imageId: randomUUID() }, '/imageId'],
    [{ clientMessageId, imageId: 'x' }, '/imageId'],
  ] as const)
    assert.deepEqual(
      faultsOf(await anna.client.post(messagesOf(roomId), body)).slice(0, 1),
      [path],
      JSON.stringify(body),
    )
  for (const text of ['"x"', '[]', 'null', '1'])
    assertProblem(await anna.client.post(messagesOf(roomId), text), 400, 'validation_failed')
  for (const text of ['', '{', '{"__proto__":{}}'])
    assertProblem(await anna.client.post(messagesOf(roomId), text), 400, 'malformed_json')
  assertProblem(await send(anna, roomId, 'a\0b'), 400, 'validation_failed')
  assertProblem(
    await anna.client.post(messagesOf(roomId), 'x', { 'content-type': 'text/plain' }),
    415,
    'unsupported_media_type',
  )
  assert.deepEqual(await history(anna, roomId), { items: [], next: null })
})

test('any text is itself, and the same again', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  for (const [i, text] of [
    '🌵'.repeat(4000),
    ' ',
    "'; drop table chat.message; --",
    '<script>alert(1)</script>',
    '\\ \\u0000 {a,b} "quoted" NULL',
    '\u001e\u0001\u202e\ufeff\u2028',
    'null',
    '{"a":1}',
    'e\u0301 é',
  ].entries()) {
    const id = randomUUID()
    const first = await send(anna, roomId, text, id)
    assert.deepEqual([first.status, first.body.seq, first.body.text], [201, i + 1, text])
    const again = await send(anna, roomId, text, id)
    assert.deepEqual([again.status, again.body], [200, first.body])
  }
  // Half a character cannot be stored.
  const id = randomUUID()
  const half = await send(anna, roomId, 'a\ud83cb', id)
  assert.deepEqual([half.status, half.body.text], [201, 'a\ufffdb'])
  assert.deepEqual((await send(anna, roomId, 'a\ud83cb', id)).status, 200)
  const { items } = await history(ben, roomId, '?after=0')
  assert.equal(items.at(-1)?.text, 'a\ufffdb')
  assert.equal(items[0]?.text, '🌵'.repeat(4000))
})

test('what else is in a body is ignored', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const { status, body } = await anna.client.post<MessageView>(messagesOf(roomId), {
    clientMessageId: randomUUID(),
    text: 'mine',
    seq: 100,
    sender: { id: ben.id },
    roomId: randomUUID(),
    kind: 'system',
    createdAt: '2000-01-01T00:00:00.000Z',
    deletedAt: '2000-01-01T00:00:00.000Z',
  })
  assert.deepEqual([status, body.seq, body.sender?.id, body.kind, body.deletedAt], [201, 1, anna.id, 'text', null])
})

test('the history of a long room is whole at every bound, forwards and backwards', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const COUNT = 250
  await db.query(
    `insert into chat.message (room_id, seq, sender_id, sender_name, kind, text, client_message_id, created_at)
     select $1, n, $2, 'Anna', 'text', 'message ' || n, gen_random_uuid(), now() from generate_series(1, $3::int) n`,
    [roomId, anna.id, COUNT],
  )
  await db.query('update chat.room set last_seq = $2 where id = $1', [roomId, COUNT])
  const all = Array.from({ length: COUNT }, (_, i) => i + 1)
  for (const limit of [1, 30, 100]) {
    const cut = (from: number[]) => {
      const page = from.slice(0, limit)
      return [page, from.length > limit ? page.at(-1)! : null]
    }
    const newest = await history(ben, roomId, `?limit=${limit}`)
    assert.deepEqual([seqs(newest), newest.next], cut(all.toReversed()))
    for (let bound = 0; bound <= COUNT + 1; bound++) {
      const [older, newer] = await Promise.all([
        history(ben, roomId, `?before=${bound}&limit=${limit}`),
        history(ben, roomId, `?after=${bound}&limit=${limit}`),
      ])
      assert.deepEqual([seqs(older), older.next], cut(all.filter((seq) => seq < bound).toReversed()), `before ${bound}`)
      assert.deepEqual([seqs(newer), newer.next], cut(all.filter((seq) => seq > bound)), `after ${bound}`)
    }
  }
  const walk = async (parameter: string, first: string): Promise<number[]> => {
    const seen: number[] = []
    for (let query = first; ;) {
      const page = await history(ben, roomId, query)
      seen.push(...seqs(page))
      if (page.next === null) return seen
      query = `?${parameter}=${page.next}`
    }
  }
  assert.deepEqual(await walk('before', ''), all.toReversed())
  assert.deepEqual(await walk('after', '?after=0'), all)
})

test('bounds that are none are refused', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  await send(anna, roomId, 'one')
  for (const query of [
    'before=1&after=1',
    'before=x',
    'after=x',
    'before=1.5',
    'before=-1',
    'after=1e1',
    'before=',
    'after=%201',
    'before=0x1',
    'before=1&before=2',
    'limit=0',
    'limit=101',
    'limit=-1',
    'limit=1.5',
    'limit=x',
    'limit=',
  ])
    assertProblem(await anna.client.get(`${messagesOf(roomId)}?${query}`), 400, 'validation_failed')
  assert.deepEqual(seqs(await history(anna, roomId, '?before=999999999999999&limit=100')), [1])
  assert.deepEqual(await history(anna, roomId, '?after=999999999999999'), { items: [], next: null })
})

test("a message of one's own becomes a tombstone, once; others' messages and the room's do not", async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const id = randomUUID()
  const { body: message } = await send(anna, roomId, 'regret', id)
  await send(ben, roomId, 'reply')
  await db.query(
    `insert into chat.message (room_id, seq, kind, system, created_at) values ($1, 3, 'system', $2, now())`,
    [roomId, JSON.stringify({ code: 'member_joined', users: [] })],
  )
  await db.query('update chat.room set last_seq = 3 where id = $1', [roomId])
  const remove = (who: { client: Client }, seq: number | string) => who.client.delete(`${messagesOf(roomId)}/${seq}`)
  assertProblem(await remove(ben, 1), 403, 'forbidden')
  assertProblem(await remove(anna, 3), 403, 'forbidden')
  assertProblem(await remove(carl, 1), 404, 'not_found')
  for (const seq of ['0', '4', '-1', '1.5', 'x', '01', '1e0', '99999999999999999999', randomUUID()])
    assertProblem(await remove(anna, seq), 404, 'not_found')
  const answers = await Promise.all(Array.from({ length: 5 }, () => remove(anna, 1)))
  for (const { status, text } of answers) assert.deepEqual([status, text], [204, ''])
  assert.equal((await remove(anna, 1)).status, 204)

  const [tombstone] = (await history(ben, roomId, '?after=0')).items
  assert.match(tombstone!.deletedAt ?? '', /^\d{4}-/)
  assert.deepEqual(tombstone, { ...message, text: null, deletedAt: tombstone!.deletedAt })
  const again = await send(anna, roomId, 'regret', id)
  assert.deepEqual([again.status, again.body], [200, tombstone])
  const { reads, lastSeq } = await readStateOf(db, roomId)
  assert.deepEqual([lastSeq, reads.get(anna.id), reads.get(ben.id)], [3, 1, 2])

  await send(anna, roomId, 'later')
  await until('what was sent later in the log', async () => (await logged(roomId, 'chat.message-created')).length === 3)
  assert.deepEqual(
    (await logged(roomId, 'chat.message-deleted')).map(({ data }) => data),
    [{ message: tombstone }],
  )
})

test('a room is read forwards only, and not beyond its end', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  for (const text of ['one', 'two', 'three']) await send(anna, roomId, text)
  const read = (seq: unknown) => ben.client.put(`/api/rooms/${roomId}/read`, { seq })
  for (const seq of [2, 2, 1]) assert.deepEqual([(await read(seq)).status, (await read(seq)).text], [204, ''])
  assert.equal((await readStateOf(db, roomId)).reads.get(ben.id), 2)
  for (const seq of [4, 0, -1, 1.5, '2', null, undefined, 1e300, [2]])
    assert.deepEqual(faultsOf(await read(seq)), ['/seq'])
  assert.equal((await readStateOf(db, roomId)).reads.get(ben.id), 2)
  assert.equal((await read(3)).status, 204)
  await until('the events', async () => (await logged(roomId, 'chat.room-read')).length === 2)
  assert.deepEqual(
    (await logged(roomId, 'chat.room-read')).map(({ data }) => data),
    [2, 3].map((lastReadSeq) => ({ roomId, userId: ben.id, lastReadSeq })),
  )
})

test('who types is told to the open streams of the others, on every instance, and nowhere else', async (t) => {
  const roomId = await addRoom(db, [anna.id, ben.id, carl.id])
  const left = await person(system.url)
  await db.query('insert into chat.room_member (room_id, user_id, left_at) values ($1, $2, now())', [roomId, left.id])
  const [here, there] = await Promise.all([serveStreams(t, system.hub), serveStreams(t, apart.hub)])
  const [ofAnna, ofBen, ofCarl, ofLeft] = await Promise.all([
    here(anna.id),
    here(ben.id),
    there(carl.id),
    here(left.id),
  ])
  const type = async ({ client }: { client: Client }) =>
    assert.deepEqual((({ status, text }) => [status, text])(await client.post(`/api/rooms/${roomId}/typing`)), [
      202,
      '',
    ])
  await type(anna)
  await type({ client: at(new Client(apart.url), ben) })
  const typing = (userId: string) => ({ event: 'typing', id: undefined, data: JSON.stringify({ roomId, userId }) })
  const told = ({ events }: { events: { event: string }[] }) => events.filter(({ event }) => event === 'typing')
  await ofCarl.until('both', ({ events }) => events.length === 2)
  await ofAnna.until('one', ({ events }) => events.length === 1)
  await ofBen.until('one', ({ events }) => events.length === 1)
  assert.deepEqual(told(ofCarl), [typing(anna.id), typing(ben.id)])
  assert.deepEqual(told(ofAnna), [typing(ben.id)])
  assert.deepEqual(told(ofBen), [typing(anna.id)])
  assert.deepEqual(told(ofLeft), [])
})

test('to strangers and to whoever has left there is no room; without a token there is nothing', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id, carl.id])
  await send(anna, roomId, 'one')
  await db.query('update chat.room_member set left_at = now() where room_id = $1 and user_id = $2', [roomId, carl.id])
  const stranger = await person(system.url)
  const ask = (client: Client, id: string): Promise<Answer<unknown>>[] => [
    client.get(messagesOf(id)),
    client.get(`${messagesOf(id)}?after=0`),
    client.post(messagesOf(id), { clientMessageId: randomUUID(), text: 'x' }),
    client.delete(`${messagesOf(id)}/1`),
    client.put(`/api/rooms/${id}/read`, { seq: 1 }),
    client.put(`/api/rooms/${id}/read`, { seq: 9 }),
    client.post(`/api/rooms/${id}/typing`),
  ]
  for (const { client } of [stranger, carl])
    for (const answer of await Promise.all(ask(client, roomId))) assertProblem(answer, 404, 'not_found')
  for (const id of [randomUUID(), 'x', '1', roomId.toUpperCase(), `${roomId}x`, '%27', '..%2f'])
    for (const answer of await Promise.all(ask(anna.client, id))) assertProblem(answer, 404, 'not_found')
  for (const answer of await Promise.all(ask(new Client(system.url), roomId)))
    assertProblem(answer, 401, 'unauthenticated')
  assert.equal((await readStateOf(db, roomId)).lastSeq, 1)
})

test('whoever is blocked in a direct room, or is being deleted, can read but neither write nor show that they type', async () => {
  const [direct, group] = await Promise.all([
    addRoom(db, [anna.id, ben.id], 'direct'),
    addRoom(db, [anna.id, ben.id, carl.id]),
  ])
  const typing = (who: { client: Client }, roomId: string) => who.client.post(`/api/rooms/${roomId}/typing`)
  await send(ben, direct, 'before')
  await db.query('insert into chat.block (user_id, blocked_id) values ($1, $2)', [ben.id, anna.id])
  assertProblem(await send(anna, direct, 'x'), 403, 'forbidden')
  assertProblem(await typing(anna, direct), 403, 'forbidden')
  assert.equal((await anna.client.put(`/api/rooms/${direct}/read`, { seq: 1 })).status, 204)
  assert.deepEqual(seqs(await history(anna, direct)), [1])
  assert.equal((await send(ben, direct, 'the other way')).status, 201)
  assert.equal((await send(anna, group, 'in a group')).status, 201)
  assert.equal((await typing(anna, group)).status, 202)
  await db.query('delete from chat.block where user_id = $1', [ben.id])
  assert.equal((await send(anna, direct, 'again')).status, 201)

  await db.query('update chat.member set held_by = gen_random_uuid() where user_id = $1', [carl.id])
  assertProblem(await send(carl, group, 'x'), 403, 'forbidden')
  assertProblem(await typing(carl, group), 403, 'forbidden')
  await db.query('update chat.member set held_by = null where user_id = $1', [carl.id])
  assert.equal((await send(carl, group, 'back')).status, 201)
})

test('with an Idempotency-Key the first answer comes again, beside what clientMessageId promises', async () => {
  const roomId = await addRoom(db, [anna.id, ben.id])
  const key = { 'idempotency-key': randomUUID() }
  const body = { clientMessageId: randomUUID(), text: 'keyed' }
  const [first, second] = [
    await anna.client.post<MessageView>(messagesOf(roomId), body, key),
    await anna.client.post<MessageView>(messagesOf(roomId), body, key),
  ]
  assert.deepEqual([first.status, second.status, second.body], [201, 201, first.body])
  assertProblem(
    await anna.client.post(messagesOf(roomId), { ...body, text: 'other' }, key),
    409,
    'idempotency_mismatch',
  )
})
