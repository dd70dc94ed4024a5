// The gateway in front of a service that is made up: what goes on to it, what comes back, and what it is spared.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createHost, createLog, createVerifier, loadConfig } from '@pando/service'
import { proxy } from '../src/proxy.ts'
import { remoteAdmin } from '../src/remote-admin.ts'

/** A server that answers as it is told, and what it was asked. */
async function serve(t: TestContext, answer: RequestListener) {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function gatewayTo(t: TestContext, url: string): Promise<string> {
  const config = loadConfig({ PORT: '0', METRICS_PORT: 'off', RATE_LIMIT: 'off' })
  const log = createLog({ level: 'silent', name: 'test' })
  const host = await createHost({ config, log })
  const verifier = createVerifier({ keys: { keys: [] } })
  const plugin = (app: Parameters<typeof proxy>[0]) =>
    proxy(app, { upstreams: [{ url, paths: ['/api/things'] }], verifier, origins: host.origins })
  const gateway = await host.start({
    services: [],
    verifier,
    plugins: [plugin],
    admin: () => [],
    checks: [],
    resources: [],
  })
  t.after(() => gateway.stop())
  return gateway.url
}

test('a request goes on with its address, its body, its caller and its ids; the answer comes back as it is', async (t) => {
  let body = ''
  const upstream = await serve(t, (request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () =>
      response
        .writeHead(207, { 'content-type': 'application/json', location: '/api/things/7', 'set-cookie': ['a=1', 'b=2'] })
        .end('{"a":1}'),
    )
  })
  const gateway = await gatewayTo(t, upstream.url)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const answer = await fetch(`${gateway}/api/things/%EA%B8%88?cursor=a_-%3D&x=%2F`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer x',
      'content-type': 'application/json',
      'x-request-id': 'mine',
      'x-forwarded-for': '6.6.6.6',
      traceparent,
    },
    body: '{"text":"몬스테라"}',
  })
  assert.deepEqual(
    [answer.status, await answer.text(), answer.headers.get('location')],
    [207, '{"a":1}', '/api/things/7'],
  )
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  assert.equal(answer.headers.get('x-request-id'), 'mine')
  assert.equal(body, '{"text":"몬스테라"}')
  const [{ method, url, headers } = assert.fail()] = upstream.asked
  assert.equal(method, 'POST')
  const there = new URL(url!, gateway)
  assert.deepEqual(
    [there.pathname, [...there.searchParams]],
    [
      '/api/things/%EA%B8%88',
      [
        ['cursor', 'a_-='],
        ['x', '/'],
      ],
    ],
  )
  assert.deepEqual(
    [headers.authorization, headers['x-request-id'], headers.traceparent],
    ['Bearer x', 'mine', traceparent],
  )
  assert.equal(headers['x-forwarded-for'], '127.0.0.1', 'nobody chooses the address that limits count')
})

test('an Origin is judged here, and not shown to the service', async (t) => {
  const upstream = await serve(t, (_request, response) => response.end('ok'))
  const gateway = await gatewayTo(t, upstream.url)
  const post = (headers: Record<string, string>) => fetch(`${gateway}/api/things`, { method: 'POST', headers })
  assert.equal((await post({ origin: 'https://evil.example' })).status, 403)
  assert.equal(upstream.asked.length, 0)
  assert.equal((await post({ origin: gateway })).status, 200)
  assert.deepEqual(
    [upstream.asked[0]!.headers.origin, upstream.asked[0]!.headers['sec-fetch-site']],
    [undefined, 'same-origin'],
  )
  assert.equal((await post({})).status, 200)
  assert.notEqual(upstream.asked[1]!.headers['sec-fetch-site'], 'same-origin')
})

test('a service in trouble is asked once, not ten times', async (t) => {
  const upstream = await serve(t, (_request, response) =>
    response
      .writeHead(503, { 'retry-after': '1', 'content-type': 'application/problem+json' })
      .end('{"code":"unavailable"}'),
  )
  const gateway = await gatewayTo(t, upstream.url)
  const answer = await fetch(`${gateway}/api/things`)
  assert.deepEqual([answer.status, await answer.text()], [503, '{"code":"unavailable"}'])
  assert.equal(upstream.asked.length, 1)
})

test('a service that is gone, or hangs up in the middle of the head: unavailable, as a problem', async (t) => {
  const upstream = await serve(t, (request) => request.socket.destroy())
  const gone = await serve(t, () => {})
  const address = gone.url
  for (const url of [upstream.url, address.replace(/\d+$/, '1')]) {
    const answer = await fetch(`${await gatewayTo(t, url)}/api/things`)
    assert.equal(answer.status, 503)
    assert.match(answer.headers.get('content-type')!, /^application\/problem\+json/)
    assert.match(answer.headers.get('retry-after')!, /^\d+$/)
    assert.equal(((await answer.json()) as { code: string }).code, 'unavailable')
  }
})

test('when a service hangs up before the body has come, the connection is not used for another request', async (t) => {
  const upstream = await serve(t, (request) => request.socket.destroy())
  const gateway = new URL(await gatewayTo(t, upstream.url))
  const socket = connect(Number(gateway.port), gateway.hostname)
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  socket.write(
    'POST /api/things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n',
  )
  await once(socket, 'end')
  assert.match(heard, /^HTTP\/1\.1 503 /)
  assert.match(heard, /\r\nconnection: close\r\n/i)
})

test('a body that says that it is too large is refused here', async (t) => {
  const upstream = await serve(t, (_request, response) => response.end('ok'))
  const gateway = await gatewayTo(t, upstream.url)
  const answer = await fetch(`${gateway}/api/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: 'x'.repeat((1 << 20) + 1),
  })
  assert.equal(answer.status, 413)
  assert.equal(upstream.asked.length, 0)
  const fits = await fetch(`${gateway}/api/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: 'x'.repeat(1 << 20),
  })
  assert.equal(fits.status, 200)
})

test("the operator's side of a service elsewhere: pages to their end, addresses that fit, and what its answers mean", async (t) => {
  const parked = ['a', 'b', 'c'].map((key) => ({ service: 'chat', key, since: '', error: '', attempts: 1, events: [] }))
  const upstream = await serve(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    const at = Number(searchParams.get('cursor') ?? 0)
    const [status, body] = ({
      '/api/admin/parked': [200, { items: parked.slice(at, at + 1), next: at < 2 ? String(at + 1) : null }],
      '/api/admin/parked/chat/a%2F%25/redrive': [202, undefined],
      '/api/admin/parked/chat/gone/redrive': [404, {}],
      '/api/admin/sagas/sign-up/gone': [404, {}],
      '/api/admin/lag': [401, {}],
    }[pathname] ?? [500, {}]) as [number, object | undefined]
    response.writeHead(status).end(body && JSON.stringify(body))
  })
  const chat = remoteAdmin('chat', upstream.url, 'the token')
  assert.deepEqual(await chat.parked(), parked)
  await chat.redrive('a/%')
  await assert.rejects(chat.redrive('gone'), { code: 'not_found' })
  assert.equal(await chat.saga('sign-up', 'gone'), undefined)
  await assert.rejects(chat.lag(), { code: 'unauthenticated' })
  await assert.rejects(chat.discard('a', 'why'), { code: 'unavailable' })
  assert.ok(upstream.asked.every(({ headers }) => headers.authorization === 'Bearer the token'))
  await assert.rejects(remoteAdmin('chat', 'http://127.0.0.1:1', 'the token').lag(), { code: 'unavailable' })
})
