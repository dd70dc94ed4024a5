import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { registerHooks } from 'node:module'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { pino } from 'pino'
import { startCollector } from '../../../test/support/collector.ts'
import { until } from '../../../test/support/until.ts'
import { testApp } from './app.ts'

const loaded: string[] = []
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    loaded.push(found.url)
    return found
  },
})
const isLoaded = (part: string): boolean => loaded.some((url) => url.includes(part))

/** The library is imported by the tests themselves: the first one is about when. */
async function setUp(t: TestContext, { endpoint, ratio = 1 }: { endpoint: string; ratio?: number }) {
  const { createTracing } = await import('../src/tracing.ts')
  const lines: { msg: string; level: number }[] = []
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) })
  const tracing = createTracing({ endpoint, ratio, name: 'pando-test', version: '1', log })
  t.after(() => tracing.stop())
  return { tracing, lines }
}

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('without traces nothing of OpenTelemetry is loaded that was not there', async (t) => {
  const { createHost } = await import('../src/host.ts')
  const { loadConfig } = await import('../src/config.ts')
  const log = pino({ level: 'silent' })
  const env = { RATE_LIMIT: 'off', METRICS_PORT: 'off' }
  const off = await createHost({ config: loadConfig(env), log, name: 'test' })
  t.after(() => off.app.close())
  assert.ok(isLoaded('/fastify/'), 'the hook sees what is loaded')
  assert.ok(!isLoaded('opentelemetry/sdk-trace'))
  assert.ok(!isLoaded('opentelemetry/exporter'))
  assert.equal(off.traceOf('user'), undefined)
  const config = loadConfig({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
  const on = await createHost({ config, log, name: 'test' })
  t.after(() => on.app.close())
  assert.ok(isLoaded('opentelemetry/sdk-trace'))
  assert.ok(on.traceOf('user'))
})

test('a failure is marked by its kind; its text may quote a row, and is not told', async (t) => {
  const { url, spans, bodies } = await startCollector(t)
  const { tracing } = await setUp(t, { endpoint: url })
  const trace = tracing.of('chat')
  const subject = { type: 'user.registered', traceparent: PARENT, id: 'e1', topic: 'user', partition: 3, offset: 7 }
  const error = Object.assign(new Error('Key (email)=(kim@example.org) already exists'), { code: '23505' })
  trace.begin('react', { ...subject, tries: 2 })?.end(error)
  trace.begin('publish', subject)?.end(new TypeError('kim@example.org'))
  trace.begin('publish', subject)
  tracing.request('GET', '/things/:id', undefined).end(500)
  tracing.request('GET', '/things/:id', undefined).end(undefined)
  await tracing.stop()
  assert.deepEqual(
    spans.map(({ service, name, failed, attributes }) => [service, name, failed, attributes['error.type']]),
    [
      ['pando-chat', 'react user.registered', true, '23505'],
      ['pando-chat', 'publish user.registered', true, 'TypeError'],
      ['pando-test', 'GET /things/:id', true, '500'],
      ['pando-test', 'GET /things/:id', false, undefined],
    ],
  )
  assert.deepEqual(
    spans.slice(0, 2).map(({ traceId, parentSpanId }) => `00-${traceId}-${parentSpanId}-01`),
    [PARENT, PARENT],
  )
  assert.ok(!bodies.join().includes('kim@example.org'))
})

test('a share of the traces that begin here is recorded; what others began is theirs to decide', async (t) => {
  const { url, spans } = await startCollector(t)
  const { tracing } = await setUp(t, { endpoint: `${url}/`, ratio: 0 })
  const own = tracing.request('GET', '/own', undefined)
  assert.match(own.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  own.end(200)
  assert.equal(tracing.of('user').begin('publish', { type: 'x', traceparent: own.traceparent }), undefined)
  const theirs = tracing.request('GET', '/theirs', PARENT)
  assert.match(theirs.traceparent, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
  theirs.end(200)
  await tracing.stop()
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['GET /theirs'],
  )
})

test('a request is a span, also when it is cut off', async (t) => {
  const { url, spans } = await startCollector(t)
  const { tracing } = await setUp(t, { endpoint: url })
  const { traceRequests } = await import('../src/request-tracing.ts')
  const { app } = await testApp(t)
  traceRequests(app, tracing)
  const seen: (string | undefined)[] = []
  app.get('/api/answered', async ({ traceparent }) => void seen.push(traceparent))
  app.get('/api/broken', async () => {
    throw new Error('broken')
  })
  app.get('/api/never', (request) => void seen.push(request.traceparent))
  app.get('/api/health/x', async () => ({}))
  app.get('/page', async () => ({}))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  for (const path of ['/api/answered', '/api/broken', '/api/nothing', '/api/health/x', '/page'])
    await (await fetch(origin + path)).arrayBuffer()
  const leaving = new AbortController()
  const never = fetch(`${origin}/api/never`, { signal: leaving.signal })
  await until('it is asked', () => seen.length === 2)
  leaving.abort()
  await assert.rejects(never)
  await until('all spans', () => spans.length === 3)
  assert.deepEqual(
    spans.map(({ name, attributes, failed }) => [name, attributes['http.response.status_code'], failed]),
    [
      ['GET /api/answered', 200, false],
      ['GET /api/broken', 500, true],
      ['GET /api/never', undefined, false],
    ],
  )
  assert.equal(seen[0], `00-${spans[0]!.traceId}-${spans[0]!.spanId}-01`)
})

test('that a collector takes nothing is told once, and holds up nothing', async (t) => {
  const { url } = await startCollector(t)
  const { tracing, lines } = await setUp(t, { endpoint: `${url}/not-there` })
  for (let i = 0; i < 3; i++) {
    tracing.request('GET', '/', undefined).end(200)
    if (i === 0) await until('it is told of', () => lines.length > 0)
  }
  await tracing.stop()
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    [`1 spans could not be sent to ${url}/not-there/v1/traces`],
  )
})

test('a collector that does not answer does not keep the process from ending', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => {
    silent.close()
    silent.closeAllConnections()
  })
  const { tracing } = await setUp(t, { endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })
  tracing.request('GET', '/', undefined).end(200)
  const from = performance.now()
  await tracing.stop()
  assert.ok(performance.now() - from < 4_000, `${performance.now() - from} ms`)
})
