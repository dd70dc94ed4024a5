import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { SignJWT } from 'jose'
import type { JSONWebKeySet } from 'jose'
import { createVerifier } from '../src/verifier.ts'
import { testKey } from './tokens.ts'

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a good token is an identity, a second look as well', async () => {
  const { keys, token } = await testKey()
  const { verify } = createVerifier({ keys })
  const text = await token({ role: 'admin' })
  const identity = await verify(text)
  assert.deepEqual(
    { ...identity, expiresAt: undefined },
    { userId: 'u1', sessionId: 's1', role: 'admin', expiresAt: undefined },
  )
  assert.ok(Math.abs(Number(identity?.expiresAt) - Date.now() - 900_000) < 2000)
  assert.equal(await verify(text), identity)
})

test('any other text is nobody', async () => {
  const { keys, token } = await testKey()
  const foreign = await testKey()
  const { verify } = createVerifier({ keys })
  const good = await token()
  const [header, payload, signature] = good.split('.')
  const hmac = new SignJWT({ sub: 'u1', sid: 's1', role: 'admin' })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .setIssuer('pando')
    .setAudience('pando')
  const bad = [
    '',
    'x',
    'a.b.c',
    `${header}.${payload}.`,
    `${header}.${base64({ sub: 'u2' })}.${signature}`,
    `${base64({ alg: 'none' })}.${payload}.`,
    `${base64({ alg: 'EdDSA', kid: 7 })}.${payload}.${signature}`,
    `${base64({ alg: 'EdDSA', kid: 'k1', crit: ['x'] })}.${payload}.${signature}`,
    await hmac.sign(Buffer.from(String(keys.keys[0]?.x), 'base64url')),
    await foreign.token(),
    await token({}, -10),
    await token({ iss: 'other' }),
    await token({ aud: 'other' }),
    await token({ role: 'root' }),
    await token({ sub: undefined }),
    await token({ sid: undefined }),
    await token({ exp: undefined }),
    await token({ nbf: Math.floor(Date.now() / 1000) + 60 }),
  ]
  for (const text of bad) assert.equal(await verify(text), undefined, text)
})

test('a token ends also for who was known', async () => {
  const { keys, token } = await testKey()
  let now = Date.now()
  const { verify } = createVerifier({ keys, now: () => now })
  const text = await token({}, 60)
  assert.ok(await verify(text))
  now += 70_000
  assert.equal(await verify(text), undefined)
})

test('keys of this process may rotate', async () => {
  const [one, two] = [await testKey('k1'), await testKey('k2')]
  let keys: JSONWebKeySet = one.keys
  const { verify } = createVerifier({ keys: () => keys })
  assert.ok(await verify(await one.token()))
  assert.equal(await verify(await two.token()), undefined)
  keys = { keys: [...one.keys.keys, ...two.keys.keys] }
  assert.ok(await verify(await two.token()))
})

test('keys of another process: fetched once, kept while it is away, 503 when there are none', async (t) => {
  const { keys, token } = await testKey()
  let fetched = 0
  const server = createServer((_request, response) => {
    fetched++
    response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/.well-known/jwks.json`)
  let now = Date.now()
  const { verify } = createVerifier({ keys: url, now: () => now })
  assert.ok(await verify(await token()))
  assert.ok(await verify(await token({ sub: 'u2' })))
  assert.equal(await verify(await (await testKey('unknown')).token()), undefined)
  assert.equal(fetched, 1)

  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  now += 3_600_000
  assert.ok(await verify(await token({ sub: 'u3' }, 7200)), 'an hour later, the keys are still good')
  await assert.rejects(createVerifier({ keys: url }).verify(await token()), { code: 'unavailable' })
})
