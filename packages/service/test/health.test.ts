import assert from 'node:assert/strict'
import test from 'node:test'
import { healthRoutes } from '../src/health.ts'
import type { HealthCheck } from '../src/health.ts'
import { testApp } from './app.ts'

async function setUp(t: test.TestContext, checks: HealthCheck[]) {
  const { app } = await testApp(t)
  const state = { isDraining: false }
  await app.register(healthRoutes, { checks, isDraining: () => state.isDraining, timeoutMs: 50 })
  return { state, ready: () => app.inject('/api/health/ready'), live: () => app.inject('/api/health/live') }
}

test('ready names every dependency', async (t) => {
  const { ready, live } = await setUp(t, [
    { name: 'database', check: async () => [] },
    { name: 'transport', check: async () => [] },
  ])
  assert.deepEqual((await live()).json(), { status: 'ok' })
  const answer = await ready()
  assert.equal(answer.statusCode, 200)
  assert.deepEqual(answer.json(), { status: 'ok', checks: { database: 'ok', transport: 'ok' } })
})

test('one that throws or hangs makes it 503, without saying why, and is not piled up', async (t) => {
  let running = 0
  const { ready, live } = await setUp(t, [
    {
      name: 'database',
      check: () => {
        throw new Error('secret')
      },
    },
    { name: 'transport', check: () => new Promise(() => running++) },
  ])
  for (const answer of [...(await Promise.all([ready(), ready()])), await ready()]) {
    assert.equal(answer.statusCode, 503)
    assert.equal(answer.headers['retry-after'], '1')
    assert.deepEqual(answer.json(), { status: 'failed', checks: { database: 'failed', transport: 'failed' } })
  }
  assert.equal(running, 1)
  assert.equal((await live()).statusCode, 200)
})

test('a draining process is not ready', async (t) => {
  const { state, ready, live } = await setUp(t, [{ name: 'database', check: async () => [] }])
  state.isDraining = true
  const answer = await ready()
  assert.equal(answer.statusCode, 503)
  assert.deepEqual(answer.json(), { status: 'draining', checks: { database: 'ok' } })
  assert.equal((await live()).statusCode, 200)
})
