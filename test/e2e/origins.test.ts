// Cookies are only taken from pages of our own; tokens need no page.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem, Client, Cookies } from '../support/client.ts'
import { newcomer, person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const FOREIGN = [
  'https://evil.example',
  'null',
  'http://127.0.0.1',
  `${system.url}.evil.example`,
  system.url.replace('http', 'https'),
]
const who = await person(system.url)

async function browser(url = system.url, headers: Record<string, string> = {}) {
  const cookies = new Cookies()
  const client = new Client(url, { cookies })
  assert.equal(
    (await client.post('/api/sessions', { username: who.username, password: who.password }, headers)).status,
    201,
  )
  return client
}

test('an unsafe request with cookies needs an Origin of ours, or none and Sec-Fetch-Site: same-origin', async () => {
  const client = await browser()
  const patch = (headers: Record<string, string>) => client.patch('/api/me', { locale: 'en' }, headers)
  assert.equal((await patch({ origin: system.url })).status, 200)
  assert.equal((await patch({ origin: system.url.replace('127.0.0.1', 'localhost') })).status, 200)
  assert.equal((await patch({ 'sec-fetch-site': 'same-origin' })).status, 200)
  for (const headers of [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ])
    assertProblem(await patch(headers as Record<string, string>), 403, 'origin_refused')
  for (const origin of FOREIGN) {
    assertProblem(await patch({ origin }), 403, 'origin_refused')
    assertProblem(await patch({ origin, 'sec-fetch-site': 'same-origin' }), 403, 'origin_refused')
  }
})

test('so do the refresh and the log-out', async () => {
  const client = await browser()
  for (const headers of [{}, { origin: FOREIGN[0]! }]) {
    assertProblem(
      await client.post('/api/sessions/refresh', undefined, headers as Record<string, string>),
      403,
      'origin_refused',
    )
    assertProblem(
      await client.delete('/api/sessions', undefined, headers as Record<string, string>),
      403,
      'origin_refused',
    )
  }
  assert.equal((await client.post('/api/sessions/refresh', undefined, { origin: system.url })).status, 201)
  assert.equal((await client.delete('/api/sessions', undefined, { 'sec-fetch-site': 'same-origin' })).status, 204)
})

test('a foreign page can neither read with cookies, nor log a victim in or sign anybody up', async () => {
  const client = await browser()
  assert.equal((await client.get('/api/me')).status, 200, 'reading needs no Origin')
  for (const origin of FOREIGN) {
    assertProblem(await client.get('/api/me', { origin }), 403, 'origin_refused')
    const anybody = new Client(system.url)
    assertProblem(
      await anybody.post('/api/sessions', { username: who.username, password: who.password }, { origin }),
      403,
      'origin_refused',
    )
    assertProblem(await anybody.post('/api/users', newcomer(), { origin }), 403, 'origin_refused')
  }
})

test('with an Authorization header cookies mean nothing, and no Origin is needed', async () => {
  const client = await browser()
  for (const headers of [{}, { origin: FOREIGN[0]! }]) {
    const bearer = { authorization: `Bearer ${who.token}`, ...headers }
    assert.equal((await client.patch('/api/me', { locale: 'ko' }, bearer)).status, 200)
    const wrong = { authorization: 'Bearer nonsense', ...headers }
    assertProblem(await client.patch('/api/me', { locale: 'ko' }, wrong), 401, 'unauthenticated')
    assertProblem(await client.get('/api/me', wrong), 401, 'unauthenticated')
  }
  assertProblem(await client.get('/api/me', { authorization: `Basic ${who.token}` }), 401, 'unauthenticated')
})

test('PUBLIC_ORIGIN says whose pages are ours, instead of our own address', async () => {
  const { url } = await system.join(['user', 'customer', 'chat'], {
    PUBLIC_ORIGIN: 'https://pando.example,https://www.pando.example',
  })
  const origin = 'https://www.pando.example'
  const client = await browser(url, { origin })
  assert.equal((await client.patch('/api/me', { locale: 'en' }, { origin })).status, 200)
  assertProblem(await client.patch('/api/me', { locale: 'en' }, { origin: url }), 403, 'origin_refused')
  assertProblem(
    await client.patch('/api/me', { locale: 'en' }, { origin: 'http://pando.example' }),
    403,
    'origin_refused',
  )
})
