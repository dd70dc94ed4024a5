// The gateway in front of a service that is made up: what goes on to it, what comes back, and what it is spared.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  Agent,
  createServer,
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createHost, createLog, createVerifier, loadConfig } from '@pando/service'
import { Client } from '../../../test/support/client.ts'
import { startCollector } from '../../../test/support/collector.ts'
import { until } from '../../../test/support/until.ts'
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
  const end = (): void => {
    server.close()
    server.closeAllConnections()
  }
  t.after(end)
  return { asked, end, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function startGateway(t: TestContext, url: string, env: Record<string, string> = {}) {
  const config = loadConfig({ PORT: '0', METRICS_PORT: 'off', RATE_LIMIT: 'off', ...env })
  const log = createLog({ level: 'silent', name: 'test' })
  const host = await createHost({ config, log, name: 'test' })
  const verifier = createVerifier({ keys: { keys: [] } })
  const plugin = (app: Parameters<typeof proxy>[0]) =>
    proxy(app, { upstreams: [{ url, paths: ['/api/things', '/api/images'] }], verifier, origins: host.origins })
  const gateway = await host.start({
    services: [],
    verifier,
    plugins: [plugin],
    admin: () => [],
    checks: [],
    resources: [],
  })
  t.after(() => gateway.stop())
  return gateway
}
const gatewayTo = async (t: TestContext, url: string): Promise<string> => (await startGateway(t, url)).url

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

test('a request goes on below the span that it is here', async (t) => {
  const collector = await startCollector(t)
  const upstream = await serve(t, (_request, response) => response.end('ok'))
  const { url } = await startGateway(t, upstream.url, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  await (await fetch(`${url}/api/things/7`)).text()
  const span = await until('the span', () => collector.spans[0])
  assert.equal(upstream.asked[0]!.headers.traceparent, `00-${span.traceId}-${span.spanId}-01`)
})

test('requests that go on are measured by their route here, without streams', async (t) => {
  const upstream = await serve(t, (request, response) => {
    const type = request.url?.endsWith('events') ? 'text/event-stream' : 'text/plain'
    response.writeHead(200, { 'content-type': type }).end('data: 1\n\n')
  })
  const { url, metricsUrl } = await startGateway(t, upstream.url, { METRICS_PORT: '0' })
  for (const path of ['/api/things/7/events', '/api/things/7']) await (await fetch(url + path)).text()
  const text = await (await fetch(metricsUrl!)).text()
  const counts = [...text.matchAll(/^pando_http_request_duration_seconds_count(.*)$/gm)].map(([, rest]) => rest)
  assert.deepEqual(counts, ['{method="GET",route="/api/things/*",status="200"} 1'])
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

test('a GET whose answer never came is asked again, a POST is not: it may have had its effect', async (t) => {
  let breaks = 1
  const upstream = await serve(t, (request, response) =>
    breaks-- > 0 ? request.socket.destroy() : response.end('here'),
  )
  const gateway = await gatewayTo(t, upstream.url)
  assert.equal(await (await fetch(`${gateway}/api/things`)).text(), 'here')
  assert.equal(upstream.asked.length, 2)
  breaks = 1
  const answer = await fetch(`${gateway}/api/things`, { method: 'POST', body: '{}' })
  assert.deepEqual([answer.status, upstream.asked.length], [503, 3])
})

test('while nobody takes the connection a request waits a moment, whatever it is, and arrives once and whole', async (t) => {
  const there = await serve(t, () => {})
  const { port } = new URL(there.url)
  there.end()
  const answered = fetch(`${await gatewayTo(t, there.url)}/api/things`, { method: 'POST', body: '{"a":1}' })
  let body = ''
  const upstream = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => response.end('late'))
  })
  t.after(() => upstream.close())
  await delay(100)
  upstream.listen(Number(port), '127.0.0.1')
  assert.equal(await (await answered).text(), 'late')
  assert.equal(body, '{"a":1}')
})

test('a connection to a service that is not used is closed here, and one that the service closes is not the client’s', async (t) => {
  const upstream = await serve(t, (request, response) =>
    response.writeHead(200, { connection: request.url === '/api/things/last' ? 'close' : 'keep-alive' }).end('ok'),
  )
  const { hostname, port } = new URL(await gatewayTo(t, upstream.url))
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const headersOf = async (path: string): Promise<IncomingHttpHeaders> => {
    const [answer] = (await once(get({ hostname, port, path, agent }), 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return answer.headers
  }
  await headersOf('/api/things')
  const [{ socket } = assert.fail()] = upstream.asked
  const since = performance.now()
  // The server itself would keep it for 5 s.
  await once(socket, 'end')
  assert.ok(performance.now() - since < 3_000)
  assert.equal((await headersOf('/api/things/last')).connection, 'keep-alive')
})

test('a stream is cut off when its service is; when the gateway stops it ends as a whole, and at the service too', async (t) => {
  const answers: ServerResponse[] = []
  const upstream = await serve(t, (_request, response) => {
    answers.push(response)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
  })
  const gateway = await startGateway(t, upstream.url)
  const open = async () => {
    const stream = await new Client(gateway.url).stream('/api/things')
    return stream.until('an event', ({ events }) => events.length === 1)
  }
  const broken = await open()
  answers[0]!.destroy()
  await broken.ended()
  assert.equal(broken.isWhole, false)

  const whole = await open()
  const left = once(answers[1]!, 'close')
  await gateway.stop()
  assert.equal((await whole.ended()).length, 1)
  assert.equal(whole.isWhole, true)
  await left
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

test('an image may be larger than JSON; who refuses one before it has all is heard', async (t) => {
  let received = 0
  const upstream = await serve(t, (request, response) => {
    if (Number(request.headers['content-length']) > 20 << 20) return response.writeHead(413).end('too large')
    request.on('data', (data: Buffer) => (received += data.length))
    return request.on('end', () => response.writeHead(201).end())
  })
  const gateway = await gatewayTo(t, upstream.url)
  const send = async (mebibytes: number): Promise<[number, string]> => {
    const answer = await fetch(`${gateway}/api/images`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: new Uint8Array(mebibytes << 20),
    })
    return [answer.status, await answer.text()]
  }
  assert.deepEqual([await send(10), received], [[201, ''], 10 << 20])
  assert.deepEqual(await send(30), [413, 'too large'])
  // Cut off here, so that the answer may not be read any more.
  await send(33).catch(() => {})
  assert.equal(upstream.asked.length, 2)
})

test("the operator's side of a service elsewhere: pages from where they are wanted, addresses that fit, and what its answers mean", async (t) => {
  const parked = ['a', 'b', 'c'].map((key) => ({ service: 'chat', key, since: '', error: '', attempts: 1, events: [] }))
  const upstream = await serve(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    const at = searchParams.has('cursor') ? 2 : 0
    const end = at + Number(searchParams.get('limit'))
    const [status, body] = ({
      '/api/admin/parked': [200, { items: parked.slice(at, end), next: end < 3 ? 'more' : null }],
      '/api/admin/parked/chat/a%2F%25/redrive': [202, undefined],
      '/api/admin/parked/chat/gone/redrive': [404, {}],
      '/api/admin/parked/chat/mine/redrive': [403, {}],
      '/api/admin/sagas/sign-up/gone': [404, {}],
      '/api/admin/lag': [401, {}],
    }[pathname] ?? [500, {}]) as [number, object | undefined]
    response.writeHead(status).end(body && JSON.stringify(body))
  })
  const chat = remoteAdmin('chat', upstream.url, 'the token')
  assert.deepEqual(await chat.parked({ limit: 2 }), { items: parked.slice(0, 2), more: true })
  const after = { since: '2026-01-01T00:00:00.000Z', service: 'chat', key: 'b' }
  assert.deepEqual(await chat.parked({ limit: 2, after }), { items: parked.slice(2), more: false })
  const { searchParams } = new URL(upstream.asked.at(-1)!.url!, 'http://x')
  assert.deepEqual(JSON.parse(Buffer.from(searchParams.get('cursor')!, 'base64url').toString()), after)
  await chat.redrive('a/%')
  await assert.rejects(chat.redrive('gone'), { code: 'not_found' })
  await assert.rejects(chat.redrive('mine'), { code: 'forbidden' })
  assert.equal(await chat.saga('sign-up', 'gone'), undefined)
  await assert.rejects(chat.lag(), { code: 'unauthenticated' })
  await assert.rejects(chat.discard('a', 'why'), { code: 'unavailable' })
  assert.ok(upstream.asked.every(({ headers }) => headers.authorization === 'Bearer the token'))
  await assert.rejects(remoteAdmin('chat', 'http://127.0.0.1:1', 'the token').lag(), { code: 'unavailable' })
})

test('however many streams are open, the next request goes on', async (t) => {
  const upstream = await serve(t, ({ url }, response) => {
    if (url === '/api/things/stream') response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
    else response.end('{}')
  })
  const gateway = await gatewayTo(t, upstream.url)
  const ending = new AbortController()
  t.after(() => ending.abort())
  // Kept, because a body that nobody holds is given up.
  const streams: Response[] = []
  for (let i = 0; i < 150; i++) streams.push(await fetch(`${gateway}/api/things/stream`, { signal: ending.signal }))
  assert.equal((await fetch(`${gateway}/api/things/7`, { signal: AbortSignal.timeout(5_000) })).status, 200)
  assert.ok(streams.every(({ ok }) => ok))
})
