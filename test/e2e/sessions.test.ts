// Staying logged in: log-in, rotation of refresh tokens, devices, passwords.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client, Cookies } from '../support/client.ts'
import { logIn, newcomer, person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const { user: db } = system.databases
const anybody = new Client(system.url)
const OURS = { origin: system.url }

interface Session {
  user: { id: string; username: string }
  accessToken: string
  expiresAt: string
}
interface Device {
  id: string
  createdAt: string
  lastUsedAt: string
  userAgent: string
  current: boolean
}

/** A browser in which somebody is logged in. */
async function browserOf({ username, password }: Person, userAgent = 'test') {
  const cookies = new Cookies()
  const client = new Client(system.url, { cookies, headers: OURS })
  const { body, status } = await client.post<Session>(
    '/api/sessions',
    { username, password },
    { 'user-agent': userAgent },
  )
  assert.equal(status, 201)
  return { cookies, client, token: body.accessToken, bearer: new Client(system.url, { token: body.accessToken }) }
}
const refreshTokenIn = (cookies: Cookies): string => cookies.get('pando_refresh')!
const devicesOf = async (client: Client): Promise<Device[]> =>
  (await client.get<{ items: Device[] }>('/api/sessions')).body.items
/** As if a refresh token had been used so many seconds ago. */
const usedAgo = (token: string, seconds: number) =>
  db.query('update users.refresh_token set used_at = now() - make_interval(secs => $2) where hash = $1', [
    createHash('sha256').update(token).digest(),
    seconds,
  ])

test('201 with the user and an access token for 15 minutes, which every service takes', async () => {
  const who = await person(system.url)
  const from = Date.now()
  const { status, body, text } = await anybody.post<Session>('/api/sessions', {
    username: who.username,
    password: who.password,
  })
  assert.equal(status, 201)
  assert.deepEqual(Object.keys(body).toSorted(), ['accessToken', 'expiresAt', 'user'])
  assert.deepEqual(body.user, (await who.client.get('/api/me')).body)
  const lasts = Date.parse(body.expiresAt) - from
  assert.ok(lasts > 898_000 && lasts <= 901_000 + Date.now() - from, String(lasts))
  assert.doesNotMatch(text, /hash|argon2|refresh/i)
  const [head, claims] = body.accessToken
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
  assert.equal(head!.alg, 'EdDSA')
  assert.deepEqual([claims!.sub, claims!.role, Number(claims!.exp) - Number(claims!.iat)], [who.id, 'user', 900])
  const { keys } = (await anybody.get<{ keys: Record<string, unknown>[] }>('/api/.well-known/jwks.json')).body
  assert.deepEqual(
    keys.map(({ kid, kty, crv }) => [kid, kty, crv]),
    [[head!.kid, 'OKP', 'Ed25519']],
  )
  assert.ok(
    keys.every((key) => !('d' in key)),
    'only the public half',
  )
})

test('a wrong password and an unknown name get the very same answer', async () => {
  const who = await person(system.url)
  const answers = [
    await anybody.post('/api/sessions', { username: who.username, password: 'not the password' }),
    await anybody.post('/api/sessions', { username: newcomer().username, password: who.password }),
    await anybody.post('/api/sessions', { username: who.username.toUpperCase(), password: who.password }),
  ]
  for (const answer of answers) assertProblem(answer, 401, 'invalid_credentials')
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  assert.equal(
    new Set(answers.map(({ headers }) => JSON.stringify({ ...headers, date: '', 'x-request-id': '' }))).size,
    1,
  )
})

test('the cookies cannot be read by scripts, nor sent by other sites, and each goes only where it is needed', async () => {
  const who = await person(system.url)
  const { headers } = await anybody.post('/api/sessions', { username: who.username, password: who.password })
  const lines = headers['set-cookie']!
  assert.equal(lines.length, 2)
  const [access, refresh] = lines.map((line) => line.split('; ').slice(1).toSorted())
  assert.match(lines[0]!, /^pando_access=[\w-]+\.[\w-]+\.[\w-]+;/)
  assert.match(lines[1]!, /^pando_refresh=[\w-]{43};/)
  assert.deepEqual(
    access!.filter((text) => !text.startsWith('Max-Age')),
    ['HttpOnly', 'Path=/', 'SameSite=Lax'],
  )
  assert.deepEqual(
    refresh!.filter((text) => !text.startsWith('Max-Age')),
    ['HttpOnly', 'Path=/api/sessions', 'SameSite=Lax'],
  )
  const { url } = await system.join(['user'], { PUBLIC_ORIGIN: 'https://pando.example' })
  const overHttps = await new Client(url).post('/api/sessions', { username: who.username, password: who.password })
  assert.ok(overHttps.headers['set-cookie']!.every((line) => line.includes('; Secure')))
})

test('a refresh rotates the token; the same session goes on', async () => {
  const { client, cookies, bearer } = await browserOf(await person(system.url))
  const first = refreshTokenIn(cookies)
  const [before] = (await devicesOf(bearer)).filter(({ current }) => current)
  const answer = await client.post<Session>('/api/sessions/refresh')
  assert.equal(answer.status, 201)
  assert.notEqual(refreshTokenIn(cookies), first)
  const after_ = await devicesOf(new Client(system.url, { token: answer.body.accessToken }))
  assert.equal(after_.find(({ current }) => current)?.id, before!.id)
  assert.ok(after_.find(({ current }) => current)!.lastUsedAt > before!.lastUsedAt)
  assert.equal((await client.get('/api/me')).status, 200, 'the new access cookie is good')
  for (let i = 0; i < 3; i++) assert.equal((await client.post('/api/sessions/refresh')).status, 201)
})

test('several tabs at once, all with the same token: each gets a pair that works', async () => {
  const { cookies } = await browserOf(await person(system.url))
  const shared = refreshTokenIn(cookies)
  const tabs = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const tab = new Cookies()
      tab.keep([`pando_refresh=${shared}; Path=/api/sessions`])
      const client = new Client(system.url, { cookies: tab, headers: OURS })
      return { status: (await client.post('/api/sessions/refresh')).status, client, tab }
    }),
  )
  assert.deepEqual(
    tabs.map(({ status }) => status),
    [201, 201, 201, 201, 201],
  )
  assert.equal(new Set(tabs.map(({ tab }) => refreshTokenIn(tab))).size, 5)
  for (const { client } of tabs) assert.equal((await client.post('/api/sessions/refresh')).status, 201)
})

test('a token used again within 10 s gives another pair; later it ends every token of its family, and no other', async () => {
  const who = await person(system.url)
  const [victim, bystander] = [await browserOf(who), await browserOf(who)]
  const stolen = refreshTokenIn(victim.cookies)
  assert.equal((await victim.client.post('/api/sessions/refresh')).status, 201)
  const latest = refreshTokenIn(victim.cookies)

  const thief = new Cookies()
  thief.keep([`pando_refresh=${stolen}; Path=/api/sessions`])
  const theft = new Client(system.url, { cookies: thief, headers: OURS })
  await usedAgo(stolen, 8)
  assert.equal((await theft.post('/api/sessions/refresh')).status, 201)
  const grandchild = refreshTokenIn(thief)

  await usedAgo(stolen, 11)
  thief.set('pando_refresh', stolen)
  assertProblem(await theft.post('/api/sessions/refresh'), 401, 'unauthenticated')
  for (const token of [latest, grandchild, stolen]) {
    thief.set('pando_refresh', token)
    assertProblem(await theft.post('/api/sessions/refresh'), 401, 'unauthenticated')
  }
  assert.equal((await bystander.client.post('/api/sessions/refresh')).status, 201)
  assert.equal((await devicesOf(bystander.bearer)).length, 2, 'the log-in of `person` and the bystander')
})

test('a refresh token that is none, has ended, or is not there is no refresh token', async () => {
  const { client, cookies } = await browserOf(await person(system.url))
  await db.query(`update users.refresh_token set expires_at = now() where hash = $1`, [
    createHash('sha256').update(refreshTokenIn(cookies)).digest(),
  ])
  assertProblem(await client.post('/api/sessions/refresh'), 401, 'unauthenticated')
  cookies.set('pando_refresh', 'x'.repeat(43))
  assertProblem(await client.post('/api/sessions/refresh'), 401, 'unauthenticated')
  assertProblem(await new Client(system.url, { headers: OURS }).post('/api/sessions/refresh'), 401, 'unauthenticated')
  assertProblem(
    await new Client(system.url, { token: cookies.get('pando_access')! }).post('/api/sessions/refresh'),
    401,
    'unauthenticated',
  )
})

test("one sees one's devices, ends one of them or all, and never those of somebody else", async () => {
  const [who, stranger] = await Promise.all([person(system.url), person(system.url)])
  const laptop = await browserOf(who, `laptop ${'x'.repeat(300)}`)
  const phone = await browserOf(who, 'phone')
  const devices = await devicesOf(phone.bearer)
  assert.equal(devices.length, 3)
  assert.deepEqual(devices.map(({ current }) => current).filter(Boolean).length, 1)
  const [current] = devices.filter((device) => device.current)
  assert.equal(current!.userAgent, 'phone')
  for (const device of devices)
    assert.deepEqual(Object.keys(device).toSorted(), ['createdAt', 'current', 'id', 'lastUsedAt', 'userAgent'])

  const lost = devices.find(({ userAgent }) => userAgent.startsWith('laptop'))!
  assert.equal(lost.userAgent.length, 200)
  for (const id of [lost.id, randomUUID(), 'x'])
    assertProblem(await stranger.client.delete(`/api/sessions/${id}`), 404, 'not_found')
  assert.equal((await phone.client.delete(`/api/sessions/${lost.id}`)).status, 204)
  assertProblem(await phone.client.delete(`/api/sessions/${lost.id}`), 404, 'not_found')
  assertProblem(await laptop.client.post('/api/sessions/refresh'), 401, 'unauthenticated')
  assert.equal((await phone.client.post('/api/sessions/refresh')).status, 201)

  const out = await phone.client.delete('/api/sessions')
  assert.equal(out.status, 204)
  assert.deepEqual([phone.cookies.get('pando_access'), phone.cookies.get('pando_refresh')], [undefined, undefined])
  assert.equal((await devicesOf(who.client)).length, 1)

  const [a, b] = [await browserOf(who), await browserOf(who)]
  assert.equal((await a.client.delete('/api/sessions/all')).status, 204)
  assert.deepEqual(await db.query('select from users.session where user_id = $1', [who.id]), [])
  assertProblem(await b.client.post('/api/sessions/refresh'), 401, 'unauthenticated')
  assert.equal((await devicesOf(stranger.client)).length, 1)
})

test('devices come in pages, the newest first', async () => {
  const who = await person(system.url)
  for (let i = 0; i < 4; i++) await logIn(system.url, who)
  const whole = (await devicesOf(who.client)).map(({ id }) => id)
  assert.deepEqual(
    whole,
    whole.toSorted((a, b) => (a < b ? 1 : -1)),
  )
  const pages: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body }: { body: { items: Device[]; next: string | null } } = await who.client.get(
      `/api/sessions?limit=2${cursor && `&cursor=${cursor}`}`,
    )
    assert.ok(body.items.length <= 2)
    pages.push(...body.items.map(({ id }) => id))
    cursor = body.next
  }
  assert.deepEqual(pages, whole)
  for (const query of ['limit=0', 'limit=101', 'cursor=x', 'cursor=MQ'])
    assertProblem(await who.client.get(`/api/sessions?${query}`), 400, 'validation_failed')
})

test('the eleventh log-in of a minute to one account is told how long to wait; another account is not', async () => {
  const [who, other] = await Promise.all([person(system.url), person(system.url)])
  const limited = new Client((await system.join(['user'], { RATE_LIMIT: 'on' })).url)
  const attempt = ({ username }: Person, password: string) => limited.post('/api/sessions', { username, password })
  for (let i = 0; i < 10; i++) assertProblem(await attempt(who, 'not the password'), 401, 'invalid_credentials')
  const answer = await attempt(who, who.password)
  assertProblem(answer, 429, 'rate_limited')
  assert.match(answer.headers['retry-after']!, /^[1-9]\d*$/)
  assert.equal((await attempt(other, other.password)).status, 201)
})

test('a browser whose access token has ended logs out by its refresh cookie', async () => {
  const { client, cookies, bearer } = await browserOf(await person(system.url))
  cookies.set('pando_access', 'ended')
  assert.equal((await client.delete('/api/sessions')).status, 204)
  assert.equal((await devicesOf(bearer)).filter(({ current }) => current).length, 0)
  assertProblem(await client.delete('/api/sessions'), 401, 'unauthenticated')
})

test('a new password: the old one is needed, other sessions end, this one stays', async () => {
  const who = await person(system.url)
  const [here, there] = [await browserOf(who), await browserOf(who)]
  const newPassword = 'another long secret'
  const change = (body: object) => here.client.put('/api/me/password', body)
  assertProblem(await change({ currentPassword: 'not the password', newPassword }), 403, 'forbidden')
  assertProblem(await change({ currentPassword: who.password, newPassword: 'short' }), 400, 'validation_failed')
  assertProblem(await change({ newPassword }), 400, 'validation_failed')
  assert.equal((await there.client.post('/api/sessions/refresh')).status, 201, 'nothing has ended yet')
  assert.equal((await change({ currentPassword: who.password, newPassword })).status, 204)
  assertProblem(await there.client.post('/api/sessions/refresh'), 401, 'unauthenticated')
  assert.equal((await here.client.post('/api/sessions/refresh')).status, 201)
  assertProblem(await anybody.post('/api/sessions', who), 401, 'invalid_credentials')
  assert.ok(await logIn(system.url, { ...who, password: newPassword }))
})
