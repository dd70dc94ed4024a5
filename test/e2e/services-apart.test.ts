// Each service in a process of its own, as `npm run service` starts it, behind a gateway; the user service twice.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createDatabase, type SagaView } from '@pando/saga'
import { assertProblem, Client, Cookies } from '../support/client.ts'
import { logIn, newcomer, person, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { clusterUrl, dropDatabases, testName, urlOf } from '../support/postgres.ts'
import { inherited } from '../support/process.ts'
import { until } from '../support/until.ts'

const READY_MS = 30_000
const ADMIN = { ADMIN_USERNAME: 'root.admin', ADMIN_PASSWORD: 'the admin has a long password' }
const prefix = testName('apart')
const dataDir = await mkdtemp(join(tmpdir(), 'pando-test-'))
const children: ChildProcess[] = []

after(async () => {
  const codes = await Promise.all(children.map(end))
  await dropDatabases(prefix)
  await rm(dataDir, { recursive: true, force: true })
  assert.deepEqual(new Set(codes), new Set([0]), 'all drained')
})

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return child.exitCode
}

interface Instance {
  url: string
  metricsUrl: string
  child: ChildProcess
}

/** Starts a service; resolves with where it says that it is ready. */
async function start(name: string, env: Record<string, string> = {}): Promise<Instance> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../tools/service.ts'), name], {
    env: {
      ...inherited(),
      PORT: '0',
      METRICS_PORT: '0',
      DATA_DIR: dataDir,
      DATABASE_URL: clusterUrl(),
      DATABASE_PREFIX: prefix,
      PASSWORD_HASH_MEMORY_KIB: '8',
      PASSWORD_HASH_PASSES: '1',
      RATE_LIMIT: 'off',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let said = ''
  child.stdout.on('data', (text: Buffer) => (said += text.toString()))
  child.stderr.on('data', (text: Buffer) => (said += text.toString()))
  const url = await until(
    `${name} to be ready`,
    () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${said}`)
      return new RegExp(`^Pando ${name} is ready at (http://\\S+)$`, 'm').exec(said)?.[1]
    },
    READY_MS,
  )
  return { url, metricsUrl: /the metrics are at ([^"]+)/.exec(said)![1]!, child }
}

const users = await Promise.all([start('user', ADMIN), start('user')])
const [user, second] = users
const USER_URL = user.url
let [customer, chat, market, notification] = await Promise.all([
  start('customer', { USER_URL }),
  start('chat', { USER_URL }),
  start('market', { USER_URL }),
  start('notification', { USER_URL }),
])
const gateway = await start('gateway', {
  USER_URL,
  CUSTOMER_URL: customer.url,
  CHAT_URL: chat.url,
  MARKET_URL: market.url,
  NOTIFICATION_URL: notification.url,
})
const anybody = new Client(gateway.url)

const adminToken = await until('the admin', async () => {
  const { status, body } = await anybody.post<{ accessToken: string }>('/api/sessions', {
    username: ADMIN.ADMIN_USERNAME,
    password: ADMIN.ADMIN_PASSWORD,
  })
  return status === 201 && body.accessToken
})
const admin = new Client(gateway.url, { token: adminToken })

test('a sign-up through the gateway: each frame comes when its version does', async () => {
  const chatUrl = chat.url
  await end(chat.child)
  const stream = await anybody.stream('/api/users', { method: 'POST', body: newcomer() })
  assert.equal(stream.status, 200)
  assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.equal(stream.headers['x-accel-buffering'], 'no')
  assert.equal(stream.headers['content-encoding'], undefined)
  // The chat is away, so the saga goes on; what is known so far is here all the same.
  await stream.until('the wallet', ({ events }) => viewsOf(events).at(-1)?.steps.customer?.status === 'done')
  assert.ok(stream.retry! >= 2_000)
  assert.deepEqual([stream.hasEnded, viewsOf(stream.events).map(({ version }) => version)], [false, [1, 2]])
  chat = await start('chat', { USER_URL, PORT: new URL(chatUrl).port })
  const views = viewsOf(await stream.ended())
  assert.deepEqual(
    views.map(({ version }) => version),
    views.map((_, i) => i + 1),
  )
  assert.equal(views.at(-1)?.status, 'completed')
  const again = await anybody.stream(`${stream.headers.location}/events`, {
    headers: { 'last-event-id': stream.events[0]!.id! },
  })
  assert.deepEqual(await again.ended(), stream.events.slice(1))
  assert.equal(
    (await anybody.stream(`${stream.headers.location}/events?lastEventId=${stream.events.at(-1)!.id}`)).status,
    204,
  )
})

test('a client that leaves frees its stream behind the gateway as well', async () => {
  const openAt = async ({ metricsUrl }: Instance): Promise<number> =>
    Number(/^pando_streams_open (\d+)$/m.exec((await new Client(metricsUrl).get('/metrics')).text)![1])
  await until('no stream', async () => (await openAt(user)) === 0)
  const { port } = new URL(chat.url)
  await end(chat.child)
  const stream = await anybody.stream('/api/users', { method: 'POST', body: newcomer() })
  await stream.until('a frame', ({ events }) => events.length > 0)
  assert.equal(await openAt(user), 1)
  stream.close()
  await until('no stream', async () => (await openAt(user)) === 0, 5_000)
  chat = await start('chat', { USER_URL, PORT: port })
})

test('tokens are verified by every service itself, and paths find theirs', async () => {
  const who = await person(gateway.url)
  assert.equal((await who.client.get('/api/me')).body.id, who.id)
  assert.deepEqual((await who.client.get('/api/me/wallet')).body, {
    balance: 0,
    currency: 'KRW',
    entries: { items: [], next: null },
  })
  for (const url of [gateway.url, customer.url]) {
    assertProblem(await new Client(url).get('/api/me/wallet'), 401, 'unauthenticated')
    assertProblem(
      await new Client(url, { token: `${who.token.slice(0, -8)}AAAAAAAA` }).get('/api/me/wallet'),
      401,
      'unauthenticated',
    )
  }
  assertProblem(await anybody.get('/api/nothing'), 404, 'not_found')
  assertProblem(await anybody.delete('/api/usernames/x'), 405, 'method_not_allowed')
  assertProblem(await anybody.post('/api/users', newcomer({ username: 'NO' })), 400, 'validation_failed')
  assertProblem(await anybody.post('/api/users', '{', { 'content-type': 'application/json' }), 400, 'malformed_json')
  assertProblem(
    await anybody.post('/api/users', newcomer({ displayName: 'x'.repeat(1 << 20) })),
    413,
    'payload_too_large',
  )
  const { headers } = await anybody.get('/api/usernames/abc', { 'x-request-id': 'one-id' })
  assert.equal(headers['x-request-id'], 'one-id')
})

test('a body that is too large, with its length or without, harms no other request on the same connection', async () => {
  const body = JSON.stringify(newcomer({ displayName: 'x'.repeat(3 << 20) }))
  for (let i = 0; i < 10; i++) {
    const asking = {
      body,
      headers: { 'content-type': 'application/json', ...(i % 2 === 1 && { 'transfer-encoding': 'chunked' }) },
    }
    // The server may close before all is sent; then the client never reads the answer.
    const answer = await anybody.request('POST', '/api/users', asking).catch((err: NodeJS.ErrnoException) => err.code)
    if (typeof answer === 'object') assert.ok([413, 503].includes(answer.status), answer.text)
    else assert.match(String(answer), /^(ECONNRESET|EPIPE)$/)
    assert.equal((await anybody.get('/api/usernames/abc')).status, 200)
    assertProblem(await anybody.post('/api/users', newcomer({ username: 'NO' })), 400, 'validation_failed')
  }
})

test('a key makes one account of many requests, wherever they arrive', async () => {
  const who = newcomer()
  const answers = await Promise.all(
    [gateway, user, second, gateway].map(({ url }) =>
      new Client(url).post<SignedUp>('/api/users', who, { 'idempotency-key': who.username }),
    ),
  )
  assert.deepEqual(
    answers.map(({ status }) => status),
    [202, 202, 202, 202],
  )
  assert.equal(new Set(answers.map(({ body }) => body.userId)).size, 1)
})

test('cookies and origins are judged at the gateway, whose own pages are ours', async () => {
  const who = await person(gateway.url)
  const cookies = new Cookies()
  const browser = new Client(gateway.url, { cookies })
  const credentials = { username: who.username, password: who.password }
  assertProblem(
    await browser.post('/api/sessions', credentials, { origin: 'https://evil.example' }),
    403,
    'origin_refused',
  )
  const ours = { origin: gateway.url }
  assert.equal((await browser.post('/api/sessions', credentials, ours)).status, 201)
  assert.equal((await browser.get('/api/me')).status, 200)
  assert.equal((await browser.get('/api/me/wallet')).status, 200)
  assert.equal((await browser.patch('/api/me', { locale: 'en' }, ours)).status, 200)
  assertProblem(await browser.patch('/api/me', { locale: 'ko' }), 403, 'origin_refused')
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: user.url },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ])
    assertProblem(await browser.patch('/api/me', { locale: 'ko' }, headers), 403, 'origin_refused')
  const before = cookies.get('pando_refresh')
  assert.equal((await browser.post('/api/sessions/refresh', undefined, ours)).status, 201)
  assert.notEqual(cookies.get('pando_refresh'), before)
  assert.equal((await browser.delete('/api/sessions', undefined, ours)).status, 204)
  assert.equal(cookies.get('pando_access'), undefined)
})

test('a stream on one instance is told of versions that the other one consumed; it goes on at the other', async () => {
  // The sagas wait for the chat, so that all streams are open and have all there is when the last version comes.
  const { port } = new URL(chat.url)
  await end(chat.child)
  const waiting = await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      const { headers } = await new Client(users[i % 2]!.url).post<SignedUp>('/api/users', newcomer())
      const path = `${headers.location}/events`
      const streams = await Promise.all(users.map(({ url }) => new Client(url).stream(path)))
      for (const stream of streams)
        await stream.until('the wallet', ({ events }) => viewsOf(events).at(-1)?.steps.customer?.status === 'done')
      return { path, streams }
    }),
  )
  chat = await start('chat', { USER_URL, PORT: port })
  const made = await Promise.all(
    waiting.map(async ({ path, streams: [here, there] }) => {
      const [one, other] = await Promise.all([here!.ended(), there!.ended()])
      assert.equal(viewsOf(one).at(-1)?.status, 'completed')
      assert.deepEqual(one, other)
      return { path, one, apartMs: Math.abs(here!.lastAt - there!.lastAt) }
    }),
  )
  // Each of the two consumes half of the lanes. Without a hint from the other one an instance looks for itself, every 5 s.
  const slowest = Math.max(...made.map(({ apartMs }) => apartMs))
  assert.ok(slowest < 1_500, `${slowest} ms`)
  for (const { path, one } of made.slice(0, 4))
    for (const { url } of users) {
      const resumed = await new Client(url).stream(path, { headers: { 'last-event-id': one[0]!.id! } })
      assert.deepEqual(await resumed.ended(), one.slice(1))
    }
})

test('a log-out on one instance ends the streams on the other', async () => {
  const who = await person(gateway.url)
  const token = await logIn(gateway.url, who)
  await end(customer.child)
  const { headers } = await who.client.delete<SagaView>('/api/me', { password: who.password })
  const path = `${headers.location}/events`
  const stream = await new Client(second.url, { token }).stream(path)
  await stream.until('a frame', ({ events }) => events.length > 0)
  assert.equal((await new Client(user.url, { token }).delete('/api/sessions')).status, 204)
  await stream.ended(5_000)
  assert.equal(
    viewsOf(stream.events).some(({ endedAt }) => endedAt !== null),
    false,
  )
  customer = await start('customer', { USER_URL, PORT: new URL(customer.url).port })
  assert.equal((await sagaEnded(who.client, headers.location!)).status, 'completed')
  assertProblem(await who.client.get('/api/me'), 401, 'unauthenticated')
})

test("a user's stream passes through the gateway as it comes, up to the end of the account", async () => {
  const who = await person(gateway.url)
  const stream = await who.client.stream('/api/stream')
  await stream.until('the first bytes', ({ retry }) => retry !== undefined)
  assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.equal(stream.headers['x-accel-buffering'], 'no')
  assert.deepEqual((await who.client.get<{ unread: number }>('/api/notifications/summary')).body.unread, 0)
  await until('presence', async () => {
    const { body } = await who.client.get<{ items: { online: boolean }[] }>(`/api/presence?userIds=${who.id}`)
    return body.items[0]!.online
  })
  assert.equal((await who.client.delete('/api/me', { password: who.password })).status, 202)
  const events = (await stream.ended()).filter(({ event }) => event !== 'hb')
  assert.deepEqual(
    events.map(({ event, data }) => [event, (JSON.parse(data) as SagaView).version]),
    [1, 2, 3, 4].map((version) => ['saga.changed', version]),
  )
  assertProblem(
    await who.client.stream('/api/stream').then((again) => again.ended().then(() => again)),
    401,
    'unauthenticated',
  )
})

interface Parked {
  service: string
  key: string
}
test('the operator sees all services as one, and acts on each', async () => {
  const who = await person(gateway.url)
  const sagas = await admin.get<{ items: (SagaView & { ownerId: string })[]; next: string | null }>(
    '/api/admin/sagas?limit=2',
  )
  assert.equal(sagas.body.items.length, 2)
  assert.equal(sagas.body.items[0]!.ownerId, who.id)
  const next = await admin.get<{ items: SagaView[] }>(
    `/api/admin/sagas?limit=2&cursor=${encodeURIComponent(sagas.body.next!)}`,
  )
  assert.equal(new Set([...sagas.body.items, ...next.body.items].map(({ id }) => id)).size, 4)
  const saga = await admin.get<{ history: { type: string }[] }>(`/api/admin/sagas/sign-up/${who.sagaId}`)
  assert.deepEqual([saga.status, saga.body.history.length], [200, 4])
  assertProblem(await admin.get('/api/admin/sagas/sign-up/x'), 404, 'not_found')
  const lag = await admin.get<{ items: { service: string }[] }>('/api/admin/lag')
  assert.deepEqual(lag.body.items.map(({ service }) => service).toSorted(), [
    'chat',
    'customer',
    'market',
    'notification',
    'user',
  ])

  const log = createDatabase({ connectionString: urlOf(`${prefix}_log`), max: 1 })
  const key = 'odd/key %41?'
  const moved = await log.query<{ id: number; offset: number }>(
    `update log.partition set next = next + 1 where id = (select id from log.partition where topic = 'user' and partition = 3) returning id, next - 1 as offset`,
  )
  await log.query(
    `insert into log.record (partition_id, "offset", day, id, key, type, body) values ($1, $2, floor(extract(epoch from now()) / 86400)::int, gen_random_uuid(), $3, 'user.deleted', '{}')`,
    [moved[0]!.id, moved[0]!.offset, key],
  )
  await log.close()
  const parked = await until('four parked keys', async () => {
    const { items } = (await admin.get<{ items: Parked[] }>('/api/admin/parked')).body
    return items.length === 4 && items
  })
  assert.deepEqual(
    parked.map((one) => `${one.service} ${one.key}`).toSorted(),
    ['chat', 'customer', 'market', 'notification'].map((service) => `${service} ${key}`),
  )
  const first = await admin.get<{ items: Parked[]; next: string }>('/api/admin/parked?limit=2')
  const rest = await admin.get<{ items: Parked[]; next: null }>(
    `/api/admin/parked?limit=2&cursor=${encodeURIComponent(first.body.next)}`,
  )
  assert.deepEqual([[...first.body.items, ...rest.body.items], rest.body.next], [parked, null])
  const path = `/api/admin/parked/customer/${encodeURIComponent(key)}`
  assert.deepEqual((await admin.post(`${path}/redrive`)).status, 202)
  assertProblem(await admin.post(`${path}/discard`, {}), 400, 'validation_failed')
  assert.equal((await admin.post(`${path}/discard`, { reason: 'made by a test' })).status, 204)
  assertProblem(await admin.post(`${path}/discard`, { reason: 'made by a test' }), 404, 'not_found')
  assert.deepEqual(
    (await admin.get<{ items: Parked[] }>('/api/admin/parked')).body.items.map(({ service }) => service).toSorted(),
    ['chat', 'market', 'notification'],
  )
  for (const operation of ['sagas', 'parked', 'lag']) {
    assertProblem(await who.client.get(`/api/admin/${operation}`), 403, 'forbidden')
    assertProblem(await anybody.get(`/api/admin/${operation}`), 401, 'unauthenticated')
    assertProblem(await new Client(chat.url, { token: who.token }).get(`/api/admin/${operation}`), 403, 'forbidden')
  }
  for (const operation of ['redrive', 'discard']) {
    assertProblem(await who.client.post(`${path}/${operation}`, { reason: 'mine' }), 403, 'forbidden')
    assertProblem(await anybody.post(`${path}/${operation}`, { reason: 'mine' }), 401, 'unauthenticated')
  }
})

test('the contract, the page and health of the gateway are those of the whole', async () => {
  const { body } = await anybody.get<{ paths: Record<string, Record<string, { operationId: string }>> }>(
    '/api/openapi.json',
  )
  for (const path of [
    '/api/users',
    '/api/me',
    '/api/me/wallet',
    '/api/posts',
    '/api/sagas/{type}/{id}/events',
    '/api/admin/sagas',
    '/api/docs',
    '/api/health/ready',
  ])
    assert.ok(path in body.paths, path)
  const ids = Object.values(body.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  assert.equal(new Set(ids).size, ids.length)
  assert.equal((await anybody.get('/')).status, 200)
  assert.equal((await anybody.get('/api/docs')).status, 200)
  const ready = await anybody.get('/api/health/ready')
  assert.deepEqual(
    [ready.status, ready.body],
    [200, { status: 'ok', checks: { user: 'ok', customer: 'ok', chat: 'ok', market: 'ok', notification: 'ok' } }],
  )
})

test('without a service, what needs it is unavailable, and the gateway says whom it misses', async () => {
  const who = await person(gateway.url)
  await end(customer.child)
  const answer = await who.client.get('/api/me/wallet')
  assertProblem(answer, 503, 'unavailable')
  assert.match(answer.headers['retry-after']!, /^\d+$/)
  assert.equal((await who.client.get('/api/me')).status, 200)
  const ready = await anybody.get('/api/health/ready')
  assert.deepEqual(
    [ready.status, ready.body.checks],
    [503, { user: 'ok', customer: 'failed', chat: 'ok', market: 'ok', notification: 'ok' }],
  )
  assertProblem(await admin.get('/api/admin/lag'), 503, 'unavailable')
  assertProblem(await anybody.get('/api/openapi.json'), 503, 'unavailable')
})
