// Events that cannot be handled, through the operator's routes: seen, sent again, given up. And how far everybody is behind.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { OPERATOR, operator } from '../support/operator.ts'
import { logIn, newcomer, person, sagaEnded, type SignedUp } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after }, { env: OPERATOR })
const admin = new Client(system.url, {
  token: await logIn(system.url, operator),
})
const { databases, transport } = system

interface Parked {
  service: string
  key: string
  since: string
  error: string
  attempts: number
  events: { id: string; type: string; time: string | null; data: unknown }[]
}
const parked = async (): Promise<Parked[]> => (await admin.get<{ items: Parked[] }>('/api/admin/parked')).body.items
const parkedOf = async (service: string, key: string): Promise<Parked | undefined> =>
  (await parked()).find((one) => one.service === service && one.key === key)
const at = (service: string, key: string, what: string): string =>
  `/api/admin/parked/${service}/${encodeURIComponent(key)}/${what}`

test('a record that is no event parks its key in every service that reads it; discarded with a reason, the key is free again', async () => {
  // Not only ids are keys: whatever stands in a record must fit into an address.
  const key = 'odd/key %41 몬스테라?'
  const publish = (body: string) =>
    transport.publish([{ id: randomUUID(), topic: 'user', key, type: 'user.deleted', body }])
  await publish('{"nonsense":true}')
  await publish('not even JSON')
  for (const service of ['chat', 'customer']) {
    const found = await until(`the key in ${service}`, async () => {
      const one = await parkedOf(service, key)
      return one?.events.length === 2 && one
    })
    assert.ok(Date.now() - Date.parse(found.since) < 60_000)
    assert.ok(found.attempts >= 1)
    assert.match(found.error, /user\.deleted at user\/\d+\/\d+/)
    assert.deepEqual(
      found.events.map(({ type, data }) => [type, data]),
      [
        ['user.deleted', null],
        ['user.deleted', 'not even JSON'],
      ],
    )
  }
  // Everybody else goes on meanwhile.
  await person(system.url)

  assertProblem(await admin.post(at('chat', key, 'discard'), {}), 400, 'validation_failed')
  assertProblem(await admin.post(at('chat', key, 'discard'), { reason: '' }), 400, 'validation_failed')
  assertProblem(await admin.post(at('chat', 'another', 'discard'), { reason: 'x' }), 404, 'not_found')
  assertProblem(await admin.post(at('nobody', key, 'discard'), { reason: 'x' }), 404, 'not_found')
  const { status, text } = await admin.post(at('chat', key, 'discard'), { reason: 'made by a test' })
  assert.deepEqual([status, text], [204, ''])
  assert.equal(await parkedOf('chat', key), undefined)
  assert.ok(await parkedOf('customer', key), 'only in the service that was named')
  const kept = await databases.chat.query<{ reason: string; body: string }>(
    'select reason, body from saga.discarded_event where key = $1 order by seq',
    [key],
  )
  assert.deepEqual(kept, [
    { reason: 'made by a test', body: '{"nonsense":true}' },
    { reason: 'made by a test', body: 'not even JSON' },
  ])
  assertProblem(await admin.post(at('chat', key, 'discard'), { reason: 'again' }), 404, 'not_found')
})

test('redrive of what fails again: 202, and the key stays with the new error', async () => {
  const key = randomUUID()
  await transport.publish([{ id: randomUUID(), topic: 'user', key, type: 'user.deleted', body: '{}' }])
  const before = await until('the key', () => parkedOf('customer', key))
  assert.equal((await admin.post(at('customer', key, 'redrive'))).status, 202)
  const after_ = await until('another attempt', async () => {
    const found = await parkedOf('customer', key)
    return found && found.attempts > before.attempts && found
  })
  assert.equal(after_.events.length, 1)
  assertProblem(await admin.post(at('customer', 'another', 'redrive')), 404, 'not_found')
  assertProblem(await admin.post(at('nobody', key, 'redrive')), 404, 'not_found')
})

test('redrive after the cause is gone: the events take effect in order, and the saga that waited completes', async () => {
  const who = newcomer({ displayName: 'Trap' })
  // The chat cannot take this member, as long as the trap is there.
  await databases.chat.query(`alter table chat.member add constraint trap check (display_name not like 'Trap%')`)
  const { body, headers } = await new Client(system.url).post<SignedUp>('/api/users', who)
  const found = await until('the key', () => parkedOf('chat', body.userId))
  assert.equal(found.attempts, 4, 'the first try and three more')
  assert.match(found.error, /trap/)
  assert.deepEqual(
    found.events.map(({ type, data }) => [type, data]),
    [['user.sign-up-started', { userId: body.userId, username: who.username, displayName: 'Trap' }]],
  )

  await databases.chat.query('alter table chat.member drop constraint trap')
  const { status, text } = await admin.post(at('chat', body.userId, 'redrive'))
  assert.deepEqual([status, text], [202, ''])
  assert.equal((await sagaEnded(new Client(system.url), headers.location!)).status, 'completed')
  assert.equal(await parkedOf('chat', body.userId), undefined)
  const member = await databases.chat.query('select display_name from chat.member where user_id = $1', [body.userId])
  assert.deepEqual(member, [{ display_name: 'Trap' }])
})

test('what a service does not know: a newer version is seen and waits; another type, or a record without a key, is passed', async () => {
  const key: string = randomUUID()
  const envelope = (type: string, version: number) =>
    JSON.stringify({ id: randomUUID(), type, version, key, time: '2026-01-01T00:00:00.000Z', data: { userId: key } })
  const put = (type: string, body: string, under = key) =>
    transport.publish([{ id: randomUUID(), topic: 'user', key: under, type, body }])
  const { consumer } = system.services.find(({ name }) => name === 'chat')!.worker
  const { skipped } = consumer.stats()
  await put('user.unheard-of', envelope('user.unheard-of', 1))
  await put('user.deleted', 'no envelope', '')
  await put('user.deleted', envelope('user.deleted', 2))
  const found = await until('the key', () => parkedOf('chat', key))
  assert.match(found.error, /version 2 is not known here; upgrade this service/)
  assert.deepEqual(
    found.events.map(({ type, time, data }) => [type, time, data]),
    [['user.deleted', '2026-01-01T00:00:00.000Z', { userId: key }]],
  )
  await until('the two others are passed', () => consumer.stats().skipped >= skipped + 2)
  assert.equal(await parkedOf('chat', ''), undefined)
  // The partition goes on.
  await person(system.url)
})

test('parked keys of all services are one list, without a gap or a repeat, whatever the size of the pages', async () => {
  const odd = ['a', '', '\ufffd', '몬', '😀', 'Z'].map((key, i) => `p${key}${i}`)
  // Many in the very same millisecond, as one batch parks them.
  for (const service of ['chat', 'customer'] as const)
    await databases[service].query(
      `insert into saga.parked_key (key, since, error, attempts)
       select key, '2020-01-01T00:00:00.0001Z'::timestamptz + n / 3 * interval '0.7 ms', 'made by a test', 1
       from unnest($1::text[]) with ordinality k(key, n)`,
      [odd],
    )
  const nameOf = ({ service, key }: Parked): string => `${service} ${key}`
  const whole = (await admin.get<{ items: Parked[] }>('/api/admin/parked?limit=100')).body.items
  const made = whole.filter(({ key }) => odd.includes(key)).map(nameOf)
  assert.deepEqual(new Set(made), new Set(odd.flatMap((key) => [`chat ${key}`, `customer ${key}`])))
  assert.deepEqual(
    whole.map(({ since }) => since),
    whole.map(({ since }) => since).toSorted(),
  )
  for (const limit of [1, 2, 3, 5]) {
    const names: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const path: string = `/api/admin/parked?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const { body } = await admin.get<{ items: Parked[]; next: string | null }>(path)
      names.push(...body.items.map(nameOf))
      assert.ok(names.length <= whole.length, 'it comes to an end')
      cursor = body.next
    }
    assert.deepEqual(names, whole.map(nameOf))
  }
  for (const cursor of ['x', 'e30', Buffer.from('{"since":"then","service":"a","key":"b"}').toString('base64url')])
    assertProblem(await admin.get(`/api/admin/parked?cursor=${cursor}`), 400, 'validation_failed')
  for (const service of ['chat', 'customer'] as const)
    await databases[service].query(`delete from saga.parked_key where error = 'made by a test'`)
})

interface Lag {
  service: string
  outbox: { rows: number; oldestMs: number }
  partitions: { group: string; topic: string; partition: number; next: number; behind: number }[]
}
const lagOf = async (client: Client, service: string): Promise<Lag | undefined> =>
  (await client.get<{ items: Lag[] }>('/api/admin/lag')).body.items.find((item) => item.service === service)

test('lag: what waits in the outbox, and how old it is', async () => {
  const { body } = await admin.get<{ items: Lag[] }>('/api/admin/lag')
  assert.deepEqual(body.items.map(({ service }) => service).toSorted(), [
    'chat',
    'customer',
    'market',
    'notification',
    'user',
  ])
  await until('an empty outbox', async () => (await lagOf(admin, 'user'))!.outbox.rows === 0)
  const { user: db } = databases
  // A topic that does not exist: the relay keeps it.
  await db.query(
    `insert into saga.outbox (id, topic, key, type, body, appended_at) values ($1, 'nowhere', 'x', 'test.made', '{}', now() - interval '1 minute')`,
    [randomUUID()],
  )
  const user = (await lagOf(admin, 'user'))!
  assert.equal(user.outbox.rows, 1)
  assert.ok(user.outbox.oldestMs >= 60_000 && user.outbox.oldestMs < 120_000)
  await db.query(`delete from saga.outbox where topic = 'nowhere'`)
  assert.deepEqual((await lagOf(admin, 'user'))!.outbox, { rows: 0, oldestMs: 0 })
})

test('lag: how far a consumer is behind, by partition', async () => {
  const quiet = await until('nobody behind', async () => {
    const chat = await lagOf(admin, 'chat')
    return chat?.partitions.every(({ behind }) => behind === 0) && chat
  })
  assert.deepEqual(
    quiet.partitions.map(({ group, topic, partition }) => `${group} ${topic}/${partition}`).toSorted(),
    ['market', 'user'].flatMap((topic) => Array.from({ length: 16 }, (_, i) => `chat ${topic}/${i}`)).toSorted(),
  )
  await system.services.find(({ name }) => name === 'chat')!.worker.consumer.stop()
  for (let i = 0; i < 3; i++)
    await transport.publish([{ id: randomUUID(), topic: 'user', key: 'same', type: 'test.made', body: '{}' }])
  const behind = (await lagOf(admin, 'chat'))!.partitions.filter((partition) => partition.behind > 0)
  assert.deepEqual(
    behind.map((one) => one.behind),
    [3],
  )
})
