import assert from 'node:assert/strict'
import test from 'node:test'
import type { InjectOptions } from 'fastify'
import {
  authentication,
  clearSessionCookies,
  optionalUser,
  refreshTokenOf,
  requireAdmin,
  requireToken,
  requireUser,
  setSessionCookies,
  userOf,
} from '../src/auth.ts'
import { originPolicy } from '../src/origin.ts'
import { createVerifier } from '../src/verifier.ts'
import { assertProblem, testApp } from './app.ts'
import { testKey } from './tokens.ts'

const OWN = 'https://pando.example'
const gone = new Set<string>()

async function setUp(t: test.TestContext) {
  const { app } = await testApp(t)
  const { keys, token } = await testKey()
  const origins = originPolicy(app.server, [OWN])
  await app.register(async (scope) => {
    await scope.register(authentication, {
      verifier: createVerifier({ keys }),
      origins,
      isLive: async ({ userId }) => !gone.has(userId),
    })
    scope.get('/api/me', { onRequest: requireUser }, async (request) => ({ id: userOf(request).userId }))
    scope.patch('/api/me', { onRequest: requireUser }, async (request) => ({ id: userOf(request).userId }))
    scope.get('/api/admin', { preHandler: requireAdmin }, async (request) => ({ id: userOf(request).userId }))
    scope.get('/api/saga', { onRequest: requireToken }, async (request) => ({ id: userOf(request).userId }))
    scope.get('/api/posts', { onRequest: optionalUser }, async ({ identity }) => ({ id: identity?.userId ?? null }))
    scope.post('/api/sessions', async (_request, reply) => {
      setSessionCookies(reply, { accessToken: 'a', accessMaxAge: 900, refreshToken: 'r', refreshMaxAge: 2_592_000 })
      return {}
    })
    scope.delete('/api/sessions', async (_request, reply) => {
      clearSessionCookies(reply)
      return {}
    })
    scope.post('/api/sessions/refresh', async (request) => ({ token: refreshTokenOf(request) ?? null }))
  })
  // Another service beside it, without `isLive`.
  await app.register(async (scope) => {
    await scope.register(authentication, { verifier: createVerifier({ keys }), origins })
    scope.get('/api/rooms', { onRequest: requireUser }, async (request) => ({ id: userOf(request).userId }))
  })
  const ask = (method: NonNullable<InjectOptions['method']>, url: string, headers: Record<string, string> = {}) =>
    app.inject({ method, url, headers })
  return { ask, token, bearer: async (claims = {}) => ({ authorization: `Bearer ${await token(claims)}` }) }
}

test('who may: user, admin, anybody', async (t) => {
  const { ask, bearer } = await setUp(t)
  const user = await bearer()
  const admin = await bearer({ sub: 'root', role: 'admin' })
  const none = await ask('GET', '/api/me')
  assertProblem(none, 401, 'unauthenticated')
  assert.equal(none.headers['www-authenticate'], 'Bearer')
  assert.deepEqual((await ask('GET', '/api/me', user)).json(), { id: 'u1' })
  assert.deepEqual((await ask('GET', '/api/rooms', user)).json(), { id: 'u1' })
  assert.deepEqual(
    (await ask('GET', '/api/me', { authorization: String(user.authorization).replace('Bearer', 'bearer') })).json(),
    { id: 'u1' },
  )
  assertProblem(await ask('GET', '/api/admin'), 401, 'unauthenticated')
  assertProblem(await ask('GET', '/api/admin', user), 403, 'forbidden')
  assert.deepEqual((await ask('GET', '/api/admin', admin)).json(), { id: 'root' })
  assert.deepEqual((await ask('GET', '/api/posts', user)).json(), { id: 'u1' })
  for (const authorization of ['', 'Bearer', 'Bearer x', 'Basic dTpw', String(user.authorization).slice(7)]) {
    assertProblem(await ask('GET', '/api/me', { authorization }), 401, 'unauthenticated')
    assert.deepEqual((await ask('GET', '/api/posts', { authorization })).json(), { id: null })
  }
})

test('a deleted account is nobody, but for routes where the token is enough', async (t) => {
  const { ask, bearer } = await setUp(t)
  gone.add('u9')
  const headers = await bearer({ sub: 'u9' })
  assertProblem(await ask('GET', '/api/me', headers), 401, 'unauthenticated')
  assert.deepEqual((await ask('GET', '/api/posts', headers)).json(), { id: null })
  assert.deepEqual((await ask('GET', '/api/saga', headers)).json(), { id: 'u9' })
  assert.deepEqual((await ask('GET', '/api/rooms', headers)).json(), { id: 'u9' })
})

test('a cookie reads as a token does; an unsafe request must come from a page of ours', async (t) => {
  const { ask, token } = await setUp(t)
  const cookie = `pando_access=${await token()}; pando_refresh=r1`
  for (const headers of [{}, { origin: OWN }, { 'sec-fetch-site': 'cross-site' }])
    assert.equal((await ask('GET', '/api/me', { cookie, ...headers })).statusCode, 200)
  for (const [method, url] of [
    ['PATCH', '/api/me'],
    ['POST', '/api/sessions/refresh'],
  ] as const) {
    for (const headers of [
      { origin: OWN },
      { origin: OWN, 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-origin' },
    ])
      assert.equal((await ask(method, url, { cookie, ...headers })).statusCode, 200, JSON.stringify(headers))
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
    ])
      assertProblem(await ask(method, url, { cookie, ...headers }), 403, 'origin_refused')
  }
})

test('a foreign origin is refused with a cookie even where nothing is changed, and where it could log in', async (t) => {
  const { ask } = await setUp(t)
  const origin = 'https://evil.example'
  for (const url of ['/api/me', '/api/posts'])
    assertProblem(await ask('GET', url, { origin, cookie: 'pando_access=x' }), 403, 'origin_refused')
  assert.equal((await ask('GET', '/api/posts', { origin })).statusCode, 200)
  assert.equal((await ask('GET', '/api/posts', { origin, cookie: 'other=x' })).statusCode, 200)
  const answer = await ask('POST', '/api/sessions', { origin })
  assertProblem(answer, 403, 'origin_refused')
  assert.equal(answer.headers['set-cookie'], undefined)
  assert.equal(
    (await ask('POST', '/api/sessions', { cookie: 'pando_access=stale' })).statusCode,
    200,
    'a log-in is not done by cookie',
  )
})

test('with an Authorization header cookies are not there, and no origin is asked for', async (t) => {
  const { ask, bearer, token } = await setUp(t)
  const cookie = `pando_access=${await token()}; pando_refresh=r1`
  const headers = { ...(await bearer({ sub: 'u2' })), cookie }
  assert.deepEqual((await ask('PATCH', '/api/me', headers)).json(), { id: 'u2' })
  assert.deepEqual((await ask('PATCH', '/api/me', { ...headers, origin: 'https://evil.example' })).json(), { id: 'u2' })
  assert.deepEqual((await ask('POST', '/api/sessions/refresh', headers)).json(), { token: null })
  assertProblem(await ask('GET', '/api/me', { authorization: 'Bearer x', cookie }), 401, 'unauthenticated')
})

test('the cookies are the contract’s', async (t) => {
  const { ask } = await setUp(t)
  assert.deepEqual((await ask('POST', '/api/sessions')).headers['set-cookie'], [
    'pando_access=a; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax',
    'pando_refresh=r; Max-Age=2592000; Path=/api/sessions; HttpOnly; Secure; SameSite=Lax',
  ])
  for (const line of (await ask('DELETE', '/api/sessions')).headers['set-cookie'] ?? [])
    assert.match(line, /^pando_(access|refresh)=; Max-Age=0; Path=\/(api\/sessions)?; Expires=Thu, 01 Jan 1970/)
})
