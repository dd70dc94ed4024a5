import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { Gauge } from 'prom-client'
import { startMetrics } from '../src/metrics.ts'

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
