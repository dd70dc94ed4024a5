import assert from 'node:assert/strict'
import test from 'node:test'
import { Type } from 'typebox'
import { limitLogIns, rateLimit } from '../src/rate-limit.ts'
import type { RateLimitOptions } from '../src/rate-limit.ts'
import { assertProblem, testApp } from './app.ts'

async function setUp(t: test.TestContext, options: Partial<RateLimitOptions>, trustProxy?: string) {
  const { app } = await testApp(t, { trustProxy })
  await app.register(rateLimit, { enabled: true, ...options })
  app.get('/api/posts', async () => ({}))
  app.get('/api/health/live', { config: { rateLimit: false } }, async () => ({}))
  app.post(
    '/api/sessions',
    { preHandler: limitLogIns, schema: { body: Type.Object({ username: Type.String() }) } },
    async () => ({}),
  )
  const get = (url = '/api/posts', headers: Record<string, string> = {}, remoteAddress = '192.0.2.1') =>
    app.inject({ url, headers, remoteAddress })
  const logIn = (username: string, remoteAddress = '192.0.2.1') =>
    app.inject({ method: 'POST', url: '/api/sessions', payload: { username }, remoteAddress })
  return { get, logIn }
}

test('an address has so many requests, to whatever path, another address its own', async (t) => {
  const { get } = await setUp(t, { perAddress: { max: 2, withinMs: 60_000 } })
  assert.equal((await get()).statusCode, 200)
  assert.equal((await get('/api/openapi.json')).statusCode, 200)
  const answer = await get()
  assertProblem(answer, 429, 'rate_limited')
  assert.match(String(answer.headers['retry-after']), /^[1-9]\d*$/)
  assert.equal((await get('/api/health/live')).statusCode, 200)
  assert.equal((await get('/api/posts', {}, '192.0.2.2')).statusCode, 200)
})

test('X-Forwarded-For makes nobody another one, unless a proxy that we know says it', async (t) => {
  const limit = { perAddress: { max: 1, withinMs: 60_000 } }
  const open = await setUp(t, limit)
  assert.equal((await open.get('/api/posts', { 'x-forwarded-for': '198.51.100.1' })).statusCode, 200)
  assert.equal((await open.get('/api/posts', { 'x-forwarded-for': '198.51.100.2' })).statusCode, 429)
  const behind = await setUp(t, limit, '192.0.2.1')
  assert.equal((await behind.get('/api/posts', { 'x-forwarded-for': '198.51.100.1' })).statusCode, 200)
  assert.equal((await behind.get('/api/posts', { 'x-forwarded-for': '198.51.100.2' })).statusCode, 200)
  assert.equal((await behind.get('/api/posts', { 'x-forwarded-for': '203.0.113.9, 198.51.100.2' })).statusCode, 429)
})

test('log-ins: few to one account, more to all', async (t) => {
  const { logIn } = await setUp(t, {
    logInsPerAddress: { max: 4, withinMs: 60_000 },
    logInsPerAccount: { max: 2, withinMs: 60_000 },
  })
  assert.equal((await logIn('kim')).statusCode, 200)
  assert.equal((await logIn('kim')).statusCode, 200)
  assertProblem(await logIn('kim'), 429, 'rate_limited')
  assert.equal((await logIn('kim', '192.0.2.2')).statusCode, 200)
  assert.equal((await logIn('lee')).statusCode, 200)
  assertProblem(await logIn('park'), 429, 'rate_limited')
})

test('off is off', async (t) => {
  const { get, logIn } = await setUp(t, {
    enabled: false,
    perAddress: { max: 0, withinMs: 60_000 },
    logInsPerAddress: { max: 0, withinMs: 60_000 },
  })
  assert.equal((await get()).statusCode, 200)
  assert.equal((await logIn('kim')).statusCode, 200)
})
