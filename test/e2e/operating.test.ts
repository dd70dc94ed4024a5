// What operators and machines ask for: health, metrics, the contract and its page, and what holds for every answer.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import type { SagaView } from '@pando/saga'
import { assertProblem, Client } from '../support/client.ts'
import { newcomer, person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)

test('alive and ready, with each thing that it depends on', async () => {
  const live = await anybody.get('/api/health/live')
  assert.deepEqual([live.status, live.body], [200, { status: 'ok' }])
  const ready = await anybody.get('/api/health/ready')
  assert.deepEqual([ready.status, ready.body], [200, { status: 'ok', checks: { database: 'ok', transport: 'ok' } }])
})

test('not ready without its database, and again when that is back', async () => {
  const close = await lockLog()
  const broken = await until('not ready', async () => {
    const answer = await anybody.get('/api/health/ready')
    return answer.status === 503 && answer
  })
  assert.deepEqual(broken.body, { status: 'failed', checks: { database: 'ok', transport: 'failed' } })
  assert.match(broken.headers['retry-after']!, /^\d+$/)
  assert.equal((await anybody.get('/api/health/live')).status, 200)
  await close()
  await until('ready', async () => (await anybody.get('/api/health/ready')).status === 200)
})

/** Keeps the log's table from being read. */
async function lockLog(): Promise<() => Promise<void>> {
  const connection = await system.databases.log.connect()
  await connection.query('begin; lock table log.identity in access exclusive mode')
  return () => connection.close()
}

test('while draining it answers 503 to who is still connected, then it is gone', async () => {
  const { url, stop } = await system.join(['user', 'customer', 'chat'])
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  // Half a request: the server waits for the rest of it before it closes.
  socket.write(`GET /api/health/ready HTTP/1.1\r\nHost: ${hostname}\r\n`)
  await until('the connection', () => socket.bytesWritten > 0 && !socket.pending)
  await new Client(url).get('/api/health/live')
  const stopped = stop()
  await until('no new connection', () =>
    new Client(url).get('/api/health/live').then(
      () => false,
      () => true,
    ),
  )
  socket.write('\r\n')
  await once(socket, 'close')
  assert.match(heard, /^HTTP\/1\.1 503 /)
  assert.match(heard, /"status":"draining"/)
  assert.match(heard, /\r\nretry-after: \d+\r\n/i)
  await stopped
})

test('metrics are text for Prometheus, on their own port and not through the gateway', async () => {
  await person(system.url)
  const metrics = new Client(system.metricsUrl!)
  const { status, headers, text } = await metrics.get('/metrics')
  assert.equal(status, 200)
  assert.match(headers['content-type']!, /^text\/plain; version=0\.0\.4/)
  for (const service of ['user', 'customer', 'chat', 'notification'])
    for (const name of [
      'database_up',
      'log_up',
      'outbox_rows',
      'outbox_oldest_seconds',
      'parked_keys',
      'parked_events',
      'lanes_owned',
      'relay_leading',
      'database_connections',
      'database_leases_total',
      'database_lease_wait_seconds_total',
      'events_published_total',
      'events_consumed_total',
      'batches_failed_total',
    ])
      assert.match(text, new RegExp(`^pando_${name}\\{service="${service}"\\} \\d`, 'm'))
  assert.match(text, /^pando_lanes_owned\{service="user"\} [1-9]\d*$/m)
  assert.match(text, /^pando_events_published_total\{service="user"\} [1-9]/m)
  assert.match(text, /^pando_consumer_lag\{service="chat",topic="user"\} \d+$/m)
  assert.match(text, /^pando_consumer_lag\{service="user",topic="customer"\} \d+$/m)
  assert.match(text, /^pando_hashing_waiting\{service="user"\} 0$/m)
  assert.match(text, /^pando_streams_open \d+$/m)
  assert.match(text, /^pando_streams_buffered_bytes \d+$/m)
  assert.match(
    text,
    /^pando_http_request_duration_seconds_count\{method="POST",route="\/api\/users",status="202"\} [1-9]/m,
  )
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds \d/m)
  assert.match(text, /^process_cpu_seconds_total /m)
  for (const line of text.split('\n').filter(Boolean))
    assert.match(line, /^(# (HELP|TYPE) [a-zA-Z_:]\w* .+|[a-zA-Z_:][\w:]*(\{.*\})? (NaN|[+-]?Inf|[\d.e+-]+)( \d+)?)$/)
  assertProblem(await anybody.get('/metrics'), 404, 'not_found')
  assert.equal(new URL(system.metricsUrl!).hostname, '127.0.0.1')
})

test('metrics count the sagas that start and end, and how long they take', async () => {
  const metrics = new Client(system.metricsUrl!)
  const read = async (pattern: RegExp) => Number(pattern.exec((await metrics.get('/metrics')).text)?.[1] ?? 0)
  const started = /^pando_sagas_started_total\{service="user",type="sign-up"\} (\d+)$/m
  const ended = /^pando_saga_duration_seconds_count\{service="user",type="sign-up",status="completed"\} (\d+)$/m
  const took = /^pando_saga_duration_seconds_sum\{service="user",type="sign-up",status="completed"\} ([\d.]+)$/m
  const before = await Promise.all([started, ended, took].map(read))
  const { sagaId } = await person(system.url)
  const { body } = await anybody.get<SagaView>(`/api/sagas/sign-up/${sagaId}`)
  const after = await Promise.all([started, ended, took].map(read))
  assert.deepEqual([after[0]! - before[0]!, after[1]! - before[1]!], [1, 1])
  const seconds = (Date.parse(body.endedAt!) - Date.parse(body.startedAt)) / 1000
  assert.ok(Math.abs(after[2]! - before[2]! - seconds) < 0.001, `${after[2]! - before[2]!} for ${seconds} s`)
})

test('metrics come without the figures of a database that does not answer', async () => {
  const metrics = new Client(system.metricsUrl!)
  const connection = await system.databases.chat.connect()
  await connection.query('begin; lock table saga.outbox in access exclusive mode')
  const { status, text } = await metrics.get('/metrics')
  await connection.close()
  assert.equal(status, 200)
  assert.match(text, /^pando_database_up\{service="chat"\} 0$/m)
  assert.match(text, /^pando_database_up\{service="user"\} 1$/m)
  assert.match(text, /^pando_log_up\{service="chat"\} 1$/m)
  assert.doesNotMatch(text, /^pando_outbox_rows\{service="chat"\}/m)
  assert.match(text, /^pando_outbox_rows\{service="user"\} \d+$/m)
  assert.match(text, /^pando_events_consumed_total\{service="chat"\} \d+$/m)
  await until('it is back', async () =>
    /^pando_database_up\{service="chat"\} 1$/m.test((await metrics.get('/metrics')).text),
  )
})

interface OpenApi {
  openapi: string
  info: { title: string; version: string }
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string
        summary: string
        parameters?: { name: string; in: string }[]
        responses: object
        security?: object[]
      }
    >
  >
}

// api.md §1–5, 9 and 10; `{}` stands for any parameter.
const PROMISED = `
  GET /api/sagas/{}/{} · GET /api/sagas/{}/{}/events
  POST /api/users · GET /api/users · GET /api/users/{} · GET /api/usernames/{}
  POST /api/sessions · POST /api/sessions/refresh · GET /api/sessions · DELETE /api/sessions · DELETE /api/sessions/all · DELETE /api/sessions/{}
  GET /api/me · PATCH /api/me · DELETE /api/me · PUT /api/me/password · GET /api/me/wallet · GET /api/.well-known/jwks.json
  GET /api/health/live · GET /api/health/ready · GET /api/openapi.json · GET /api/docs
  GET /api/notifications · GET /api/notifications/summary · PUT /api/notifications/{}/read · PUT /api/notifications/read
  DELETE /api/notifications/{} · GET /api/presence · GET /api/stream
  GET /api/friends · PUT /api/friends/{} · DELETE /api/friends/{} · GET /api/blocks · PUT /api/blocks/{} · DELETE /api/blocks/{}
  POST /api/rooms · GET /api/rooms · GET /api/rooms/{} · PATCH /api/rooms/{}/me · POST /api/rooms/{}/members · DELETE /api/rooms/{}/members/me
  GET /api/rooms/{}/messages · POST /api/rooms/{}/messages · DELETE /api/rooms/{}/messages/{} · PUT /api/rooms/{}/read · POST /api/rooms/{}/typing
  POST /api/images · GET /api/images/{}
  POST /api/posts · GET /api/posts · GET /api/posts/{} · PATCH /api/posts/{} · DELETE /api/posts/{} · PUT /api/posts/{}/status
  PUT /api/posts/{}/wish · DELETE /api/posts/{}/wish · GET /api/me/wishes
  GET /api/me/keywords · PUT /api/me/keywords/{} · DELETE /api/me/keywords/{}
  GET /api/admin/sagas · GET /api/admin/sagas/{}/{} · GET /api/admin/parked · GET /api/admin/lag
  POST /api/admin/parked/{}/{}/redrive · POST /api/admin/parked/{}/{}/discard`

test('the contract names every operation once, with its answers and parameters', async () => {
  const { status, headers, body, text } = await anybody.get<OpenApi>('/api/openapi.json')
  assert.equal(status, 200)
  assert.match(headers['content-type']!, /^application\/json/)
  assert.match(body.openapi, /^3\.1\.\d+$/)
  assert.ok(body.info.title && body.info.version)
  const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path.replaceAll(/\{[^}]+\}/g, '{}')}`,
      path,
      operation,
    })),
  )
  assert.deepEqual(
    operations.map(({ name }) => name).toSorted(),
    PROMISED.split(/[·\n]/)
      .map((name) => name.trim())
      .filter(Boolean)
      .toSorted(),
  )
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.equal(new Set(ids).size, ids.length)
  for (const { name, path, operation } of operations) {
    assert.ok(operation.summary, name)
    assert.ok(
      Object.keys(operation.responses).some((code) => code.startsWith('2')),
      `${name} succeeds`,
    )
    const inPath = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'path')
      .map((parameter) => `{${parameter.name}}`)
    assert.deepEqual(inPath.toSorted(), (path.match(/\{[^}]+\}/g) ?? []).toSorted(), name)
  }
  for (const [, reference = ''] of text.matchAll(/"\$ref":"([^"]*)"/g)) {
    const target = reference
      .slice(2)
      .split('/')
      .reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], body)
    assert.ok(reference.startsWith('#/') && target !== undefined, reference)
  }
})

test('the contract has a page, and that page obeys its own policy', async () => {
  const { status, headers, text } = await anybody.get('/api/docs')
  assert.equal(status, 200)
  assert.match(headers['content-type']!, /^text\/html/)
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /default-src 'self'/)
  assert.match(policy, /script-src 'self'(;|$)/)
  assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)[^>]*>[^<]/, 'no script within the page')
  const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(
    ([, link = '']) => new URL(link, `${system.url}/api/docs/`),
  )
  assert.ok(files.length > 2)
  for (const file of files) {
    assert.equal(file.origin, system.url)
    assert.equal((await anybody.get(file.pathname)).status, 200, file.pathname)
  }
})

test('the page at / obeys a strict policy', async () => {
  const { status, headers, text } = await anybody.get('/')
  assert.equal(status, 200)
  assert.match(headers['content-type']!, /^text\/html/)
  assert.match(String(headers['content-security-policy']), /script-src 'self'(;|$)/)
  assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
  assert.equal(headers['referrer-policy'], 'no-referrer')
  assert.match(text, /<html[^>]+lang=/)
  assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)[^>]*>[^<]|<style|\sstyle=|\son\w+=/)
})

test('what is not there is not found; a method that is not there names those that are', async () => {
  for (const path of [
    '/api/nothing',
    '/api',
    '/api/users/a/b',
    '/nothing',
    '/api/%2e%2e/secret',
    '/api/%zz',
    '/package.json',
    `/api/${'x'.repeat(5_000)}`,
  ])
    assertProblem(await anybody.get(path), 404, 'not_found')
  for (const [method, path, allowed] of [
    ['PUT', '/api/users', 'GET, HEAD, POST'],
    ['DELETE', '/api/usernames/x', 'GET, HEAD'],
    ['POST', '/api/me', 'DELETE, GET, HEAD, PATCH'],
    ['PATCH', '/api/sessions', 'DELETE, GET, HEAD, POST'],
    ['PUT', '/api/admin/lag', 'GET, HEAD'],
    ['POST', '/api/health/live', 'GET, HEAD'],
  ] as const) {
    const answer = await anybody.request(method, path, { body: method === 'DELETE' ? undefined : {} })
    assertProblem(answer, 405, 'method_not_allowed')
    assert.deepEqual(answer.headers.allow?.split(', ').toSorted().join(', '), allowed)
  }
})

test("every answer has an id of its own; a caller's id is taken over unless it could do harm", async () => {
  const ids = new Set<unknown>()
  for (const [method, path] of [
    ['GET', '/api/health/live'],
    ['GET', '/api/nothing'],
    ['POST', '/api/users'],
    ['GET', '/'],
    ['GET', '/api/me'],
    ['GET', '/api/openapi.json'],
  ] as const) {
    const { headers } = await anybody.request(method, path)
    ids.add(headers['x-request-id'])
    assert.equal(headers.server, undefined)
    assert.equal(headers['x-powered-by'], undefined)
    assert.equal(headers['x-content-type-options'], 'nosniff')
  }
  assert.equal(ids.size, 6)
  assert.ok(!ids.has(undefined))
  const taken = await anybody.get('/api/health/live', { 'x-request-id': 'my-own.id' })
  assert.equal(taken.headers['x-request-id'], 'my-own.id')
  for (const bad of ['x'.repeat(129), 'a b', 'ä'])
    assert.notEqual((await anybody.get('/api/health/live', { 'x-request-id': bad })).headers['x-request-id'], bad)
})

test('a broken traceparent does no harm', async () => {
  for (const traceparent of ['garbage', '00-0-0-00', 'x'.repeat(2_000)])
    assert.equal((await anybody.post('/api/users', newcomer(), { traceparent })).status, 202)
})
