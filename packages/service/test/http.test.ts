import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { Type } from 'typebox'
import { Problem } from '../src/problem.ts'
import { assertProblem, testApp } from './app.ts'

const Body = Type.Object({
  username: Type.String({ minLength: 3, maxLength: 30, pattern: '^[a-z0-9._-]+$' }),
  password: Type.String({ minLength: 10, maxLength: 200 }),
})

const json = { 'content-type': 'application/json' }

async function signUpApp(t: test.TestContext) {
  const { app, lines } = await testApp(t)
  app.post('/api/users', { schema: { body: Body } }, async ({ body }) => body)
  const post = (payload: string | object, headers: Record<string, string> = json) =>
    app.inject({ method: 'POST', url: '/api/users', payload, headers })
  return { app, lines, post }
}

test('bad bodies name the member and never repeat what was sent', async (t) => {
  const { post } = await signUpApp(t)
  const password = 'short-one'
  const faults = assertProblem(await post({ username: 'Ab', password }), 400, 'validation_failed')
  assert.deepEqual(new Set(faults.errors?.map(({ path }) => path)), new Set(['/username', '/password']))
  assert.doesNotMatch(JSON.stringify(faults), /short-one|Ab/)
  assert.deepEqual(assertProblem(await post({}), 400, 'validation_failed').errors, [
    { path: '/username', message: 'is required' },
    { path: '/password', message: 'is required' },
  ])
  for (const username of [12345, null, { $ne: '' }, ['alice'], 'alice\n', '몬스테라'])
    assert.equal(
      assertProblem(await post({ username, password: 'x'.repeat(10) }), 400, 'validation_failed').errors?.[0]?.path,
      '/username',
    )
  for (const body of ['[]', '"hello"', 'null', '7']) assertProblem(await post(body), 400, 'validation_failed')
  assertProblem(await post('', {}), 400, 'validation_failed')
})

test('lengths are code points, unknown members are ignored', async (t) => {
  const { post } = await signUpApp(t)
  const good = { username: 'kim', password: '🌱'.repeat(200), other: 1 }
  assert.equal((await post(good)).statusCode, 200)
  assertProblem(await post({ ...good, password: '🌱'.repeat(201) }), 400, 'validation_failed')
})

test('only JSON comes in', async (t) => {
  const { post } = await signUpApp(t)
  for (const broken of [
    '{"username":',
    '',
    '{"a":1}}',
    '\u0000',
    '{"__proto__":{"role":"admin"}}',
    '{"constructor":{"prototype":{}}}',
  ])
    assertProblem(await post(broken), 400, 'malformed_json')
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'garbage',
  ])
    assertProblem(await post('{}', { 'content-type': type }), 415, 'unsupported_media_type')
  assertProblem(
    await post(JSON.stringify({ username: 'kim', password: 'x'.repeat(2 ** 20) })),
    413,
    'payload_too_large',
  )
  assert.equal(
    (await post({ username: 'kim', password: 'x'.repeat(10) }, { 'content-type': 'application/json; charset=utf-8' }))
      .statusCode,
    200,
  )
})

test('a body that would cost the validator much is refused before', async (t) => {
  const { post } = await signUpApp(t)
  for (const crowd of [Array(1001).fill(1), Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, i]))]) {
    assert.match(
      assertProblem(await post({ deep: [{ crowd }] }), 400, 'validation_failed').detail,
      /more than 1000 members/,
    )
  }
  assert.equal((await post({ username: 'kim', password: 'x'.repeat(10), crowd: Array(1000).fill(1) })).statusCode, 200)
  assertProblem(await post(`${'['.repeat(300_000)}${']'.repeat(300_000)}`), 400, 'validation_failed')
})

test('U+0000 stays outside, six characters that look like it do not', async (t) => {
  const { app, post } = await signUpApp(t)
  app.get('/api/rooms/:id', async () => ({}))
  assertProblem(await post(String.raw`{"username":"kim","password":"0123456789\u0000"}`), 400, 'validation_failed')
  assert.equal((await post(String.raw`{"username":"kim","password":"0123456789\\u0000"}`)).statusCode, 200)
  assertProblem(await app.inject('/api/rooms/%00'), 404, 'not_found')
  assertProblem(await app.inject('/api/rooms/1?query=%00'), 400, 'validation_failed')
})

test('unknown paths are 404, other methods 405 with Allow, before the body is looked at', async (t) => {
  const { app } = await signUpApp(t)
  await app.register(async (scope) => {
    scope.get('/api/rooms/:id/messages', async () => ({}))
    scope.post('/api/rooms/:id/messages', async () => ({}))
    scope.get('/api/stream', { exposeHeadRoute: false }, async () => ({}))
  })
  for (const url of [
    '/api/nothing',
    '/api/users/',
    '//api/users',
    '/api/users/x/y',
    '/',
    '/api/../etc/passwd',
    '/api/%2e%2e/secret',
    '/api/%zz',
    `/api/rooms/${'x'.repeat(5000)}/messages`,
  ])
    assertProblem(await app.inject(url), 404, 'not_found')
  for (const [method, url, allow] of [
    ['GET', '/api/users', 'POST'],
    ['PUT', '/api/users?x=1', 'POST'],
    ['OPTIONS', '/api/users', 'POST'],
    ['DELETE', '/api/rooms/1/messages', 'GET, HEAD, POST'],
    ['HEAD', '/api/stream', 'GET'],
    ['DELETE', '/api/openapi.json', 'GET, HEAD'],
  ] as const) {
    const answer = await app.inject({ method, url, ...(method === 'PUT' && { payload: '{broken', headers: json }) })
    if (method !== 'HEAD') assertProblem(answer, 405, 'method_not_allowed')
    assert.equal(answer.statusCode, 405, `${method} ${url}`)
    assert.equal(answer.headers.allow, allow)
  }
})

test('a route for all paths can say that it has nothing, or that the method is wrong', async (t) => {
  const { app } = await signUpApp(t)
  app.get('/*', async (request, reply) => (request.url === '/index.html' ? 'page' : reply.callNotFound()))
  assert.equal((await app.inject('/index.html')).body, 'page')
  assertProblem(await app.inject('/api/nothing'), 404, 'not_found')
  assertProblem(await app.inject({ method: 'POST', url: '/api/nothing' }), 404, 'not_found')
  assert.equal((await app.inject('/api/users')).headers.allow, 'POST')
})

test('every answer has an id of its own, or the good one that it came with', async (t) => {
  const { app } = await signUpApp(t)
  const idOf = async (given?: string) =>
    (await app.inject({ url: '/api/nothing', headers: given === undefined ? {} : { 'x-request-id': given } })).headers[
      'x-request-id'
    ]
  assert.equal(await idOf('abc-1'), 'abc-1')
  assert.equal(await idOf('x'.repeat(128)), 'x'.repeat(128))
  const made = [
    await idOf(),
    await idOf(),
    await idOf('x'.repeat(129)),
    await idOf('a b'),
    await idOf(''),
    await idOf('잎'),
  ]
  assert.equal(new Set(made).size, made.length)
  for (const id of made) assert.match(String(id), /^[0-9a-f-]{36}$/)
  assert.ok((await app.inject('/api/%zz')).headers['x-request-id'])
})

test('a good traceparent is there for the handler, a broken one is not', async (t) => {
  const { app } = await testApp(t)
  app.get('/api/trace', async ({ traceparent }) => ({ traceparent: traceparent ?? null }))
  const seen = async (traceparent: string) =>
    (await app.inject({ url: '/api/trace', headers: { traceparent } })).json<{ traceparent: unknown }>().traceparent
  const good = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  assert.equal(await seen(good), good)
  for (const bad of [
    'garbage',
    '',
    `ff${good.slice(2)}`,
    good.toUpperCase(),
    `${good}-1`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  ])
    assert.equal(await seen(bad), null, bad)
})

test('security headers are on every answer, streams included, and name no product', async (t) => {
  const { app } = await testApp(t, { https: true })
  app.get('/api/stream', (_request, reply) => {
    reply.hijack()
    reply.raw
      .writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' })
      .end(': hi\n\n')
  })
  for (const url of ['/api/nothing', '/api/%zz', '/api/stream', '/api/openapi.json']) {
    const { headers } = await app.inject(url)
    const policy = String(headers['content-security-policy'])
    for (const part of [
      "default-src 'self'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ])
      assert.ok(policy.split('; ').includes(part), `${url}: ${policy}`)
    assert.doesNotMatch(policy, /unsafe/)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.match(String(headers['strict-transport-security']), /max-age=/)
    assert.ok(headers['x-request-id'])
    assert.equal(headers['x-powered-by'] ?? headers['server'], undefined)
    assert.equal(headers['cache-control'], url === '/api/stream' ? 'no-cache, no-transform' : 'no-store')
  }
})

test('an unknown error is logged once, with the id that the answer has and its trace, and shows nothing', async (t) => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const { app, lines } = await testApp(t)
  app.get('/api/bug', async () => {
    throw new Error('select secret from account')
  })
  app.get('/api/down', async () => {
    throw Object.assign(new Error('terminating connection'), { code: '57P01' })
  })
  app.get('/api/no', async () => {
    throw new Problem('forbidden')
  })
  const { requestId, ...body } = assertProblem(
    await app.inject({ url: '/api/bug', headers: { traceparent } }),
    500,
    'internal',
  )
  assert.doesNotMatch(JSON.stringify(body), /secret|at |\.ts/)
  const down = await app.inject('/api/down')
  assertProblem(down, 503, 'unavailable')
  assert.equal(down.headers['retry-after'], '1')
  assertProblem(await app.inject('/api/no'), 403, 'forbidden')
  const loud = lines.filter(({ level }) => Number(level) >= 40)
  assert.deepEqual(
    loud.map((line) => [line.level, line.requestId, line.traceparent, line.msg]),
    [
      [50, requestId, traceparent, 'internal error'],
      [40, down.headers['x-request-id'], undefined, 'unavailable'],
    ],
  )
  assert.match(JSON.stringify(loud[0]), /select secret/)
})

test('what is no HTTP gets a problem, too', async (t) => {
  const { app } = await testApp(t)
  await app.listen()
  const { port } = app.server.address() as AddressInfo
  for (const bytes of ['garbage\r\n\r\n', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`]) {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    let text = ''
    socket.on('data', (part) => (text += part))
    socket.on('error', () => {})
    socket.write(bytes)
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1.1 400 .*\r\nContent-Type: application\/problem\+json\r\nX-Request-Id: /)
    assert.match(text, /"code":"validation_failed"/)
  }
})
