// A process that drains, as those see it who send it requests.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Client } from '../../../test/support/client.ts'
import { loadConfig } from '../src/config.ts'
import { createHost, type HostParts } from '../src/host.ts'
import { createLog } from '../src/log.ts'
import { createVerifier } from '../src/verifier.ts'

const config = loadConfig({ PORT: '0', METRICS_PORT: 'off' })
const createTestHost = () => createHost({ name: 'test', config, log: createLog({ level: 'silent', name: 'test' }) })

async function start(t: TestContext) {
  const host = await createTestHost()
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const running = await host.start({
    services: [],
    verifier: createVerifier({ keys: { keys: [] } }),
    plugins: [
      async (app) => {
        app.get('/slow', () => {
          asked.resolve()
          return go.promise.then(() => 'done')
        })
      },
    ],
    admin: () => [],
    checks: [],
    resources: [],
  })
  t.after(() => running.stop())
  return { stop: () => running.stop(), client: new Client(running.url), asked: asked.promise, go: go.resolve }
}

test('who follows readiness is told to go elsewhere, and is answered until it has', async (t) => {
  const { client, stop, asked, go } = await start(t)
  assert.equal((await client.get('/api/health/ready')).status, 200)
  const slow = client.get('/slow')
  await asked
  const since = performance.now()
  const stopped = stop()
  for (let i = 0; i < 3; i++) {
    const { status, headers, body } = await client.get('/api/health/ready')
    assert.deepEqual([status, body.status, headers.connection], [503, 'draining', 'close'])
    const other = await client.get('/api/health/live')
    assert.deepEqual([other.status, other.headers.connection], [200, 'close'])
  }
  go()
  const answer = await slow
  assert.deepEqual([answer.text, answer.headers.connection], ['done', 'close'])
  await stopped
  const tookMs = performance.now() - since
  assert.ok(tookMs > 2_400 && tookMs < 5_000, `${tookMs} ms`)
  await assert.rejects(client.get('/api/health/live'), { code: /^ECONN(REFUSED|RESET)$/ })
})

test('when nobody follows readiness there is nothing to wait for', async (t) => {
  const { client, stop } = await start(t)
  assert.equal((await client.get('/api/health/live')).status, 200)
  const since = performance.now()
  await Promise.all([stop(), stop()])
  assert.ok(performance.now() - since < 2_000)
  await assert.rejects(client.get('/api/health/live'), { code: /^ECONN(REFUSED|RESET)$/ })
})

test('when one service cannot start, the others are stopped, also those that are not started yet', async () => {
  const calls: string[] = []
  const late = Promise.withResolvers<void>()
  const service = (name: string, begin: () => Promise<void>) => ({
    name,
    routes: async () => {},
    async start() {
      await begin()
      calls.push(`${name} has started`)
    },
    async stop() {
      calls.push(`${name} has stopped`)
    },
  })
  const services = [
    service('one', async () => {}),
    service('two', async () => {
      late.resolve()
      throw new Error('no database')
    }),
    service('three', () => late.promise),
  ]
  const host = await createTestHost()
  const started = host.start({
    // What else a service has is asked for when all have started.
    services: services as unknown as HostParts['services'],
    verifier: createVerifier({ keys: { keys: [] } }),
    admin: () => [],
    checks: [],
    resources: [async () => void calls.push('closed')],
  })
  await assert.rejects(started, /^Error: no database$/)
  assert.deepEqual(calls, ['one has started', 'three has started', 'three has stopped', 'one has stopped', 'closed'])
})
