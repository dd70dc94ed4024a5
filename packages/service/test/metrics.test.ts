import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { Gauge, Registry } from 'prom-client'
import { startMetrics } from '../src/metrics.ts'
import { createReading } from '../src/reading.ts'
import { registerRequests } from '../src/request-metrics.ts'
import { testApp } from './app.ts'

const silent = pino({ level: 'silent' })
const host = '127.0.0.1'

test("serves Node's figures and the process's own as Prometheus text", async () => {
  const metrics = await startMetrics({
    port: 0,
    host,
    log: silent,
    collect: (registry) => {
      new Gauge({
        name: 'pando_plants',
        help: 'Plants.',
        registers: [registry],
        collect() {
          this.set(7)
        },
      })
    },
  })
  try {
    const answer = await fetch(metrics.url!)
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
    const text = await answer.text()
    assert.match(text, /^pando_plants 7$/m)
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
    assert.equal((await fetch(new URL('/', metrics.url))).status, 404)
    assert.equal((await fetch(metrics.url!, { method: 'POST' })).status, 405)
  } finally {
    await metrics.stop()
  }
  await assert.rejects(fetch(metrics.url!))
})

test('a taken port is a warning, not an error', async () => {
  const lines: string[] = []
  const first = await startMetrics({ port: 0, host, log: silent, collect() {} })
  const second = await startMetrics({
    port: Number(new URL(first.url!).port),
    host,
    log: pino({}, { write: (line: string) => lines.push(line) }),
    collect: () => assert.fail('nobody would read them'),
  })
  assert.equal(second.url, undefined)
  await second.stop()
  await first.stop()
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /METRICS_PORT=\d+ .*EADDRINUSE/)
})

test('off: no port', async () => {
  const metrics = await startMetrics({
    port: 'off',
    host,
    log: silent,
    collect: () => assert.fail('nobody would read them'),
  })
  assert.equal(metrics.url, undefined)
  await metrics.stop()
})

test('requests are measured by route and status; no path is ever a label, and streams are left out', async (t) => {
  const { app } = await testApp(t)
  const registry = new Registry()
  app.get('/things/:id', async ({ params }) => {
    if ((params as { id: string }).id === 'bad') throw new Error('broken')
    return {}
  })
  app.get('/stream', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).end('data: 1\n\n')
  })
  // As in a process: the routes are there already.
  registerRequests(registry, app)
  for (const url of ['/things/nayun', '/things/kim@example.org', '/things/bad', '/stream', '/nothing/nayun'])
    await app.inject(url)
  await app.inject({ method: 'POST', url: '/things/nayun' })
  const text = await registry.metrics()
  const counts = [...text.matchAll(/^pando_http_request_duration_seconds_count\{(.*)\} (\d+)$/gm)].map(
    ([, labels, count]) => `${labels} ${count}`,
  )
  assert.deepEqual(counts.toSorted(), [
    'method="GET",route="/things/:id",status="200" 2',
    'method="GET",route="/things/:id",status="500" 1',
    'method="GET",route="none",status="404" 1',
    'method="POST",route="none",status="405" 1',
  ])
  assert.doesNotMatch(text, /nayun|kim|bad/)
})

test('what is slow or broken is asked once at a time, and is left out', async () => {
  const errors: string[] = []
  let asked = 0
  let settle = Promise.withResolvers<number>()
  const reading = createReading(
    () => {
      asked++
      return settle.promise
    },
    { patienceMs: 20, onError: ({ message }) => errors.push(message) },
  )
  assert.deepEqual(await Promise.all([reading(), reading()]), [undefined, undefined])
  assert.equal(await reading(), undefined)
  assert.deepEqual([asked, errors], [1, ['no answer in 20 ms', 'no answer in 20 ms']])
  settle.resolve(7)
  assert.equal(await reading(), 7)
  settle = Promise.withResolvers()
  settle.reject(new Error('gone'))
  assert.equal(await reading(), undefined)
  assert.equal(errors.at(-1), 'gone')
  settle = Promise.withResolvers()
  settle.resolve(8)
  assert.equal(await reading(), 8)
})
