// Signing up over HTTP: both forms of POST /api/users, what is refused, and what clients cannot choose.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { logIn, newcomer, person, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

test('202 with Location and the first view; when the saga has completed, the person can log in', async () => {
  const who = newcomer()
  const { status, headers, body } = await anybody.post<SignedUp>('/api/users', who)
  assert.equal(status, 202)
  assert.equal(headers.location, `/api/sagas/sign-up/${body.id}`)
  assert.match(headers['content-type']!, /^application\/json\b/)
  assert.ok(headers['x-request-id'])
  const { id, userId, startedAt, deadline, ...rest } = body
  assert.deepEqual(rest, {
    type: 'sign-up',
    status: 'running',
    version: 1,
    steps: { user: { status: 'done' }, chat: { status: 'pending' }, customer: { status: 'pending' } },
    reason: null,
    endedAt: null,
  })
  assert.match(userId, UUID_V7)
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  for (const time of [startedAt, deadline]) assert.match(time, TIME)
  assert.equal(Date.parse(deadline) - Date.parse(startedAt), 30_000)

  const end = await sagaEnded(anybody, headers.location)
  assert.equal(end.status, 'completed')
  assert.deepEqual(
    Object.keys(end).toSorted(),
    Object.keys({ ...rest, id, startedAt, deadline }).toSorted(),
    'no userId in later views',
  )
  assert.deepEqual(end.steps, { user: { status: 'done' }, chat: { status: 'done' }, customer: { status: 'done' } })
  assert.match(end.endedAt!, TIME)
  const me = await new Client(system.url, { token: await logIn(system.url, who) }).get('/api/me')
  assert.deepEqual(
    [me.body.id, me.body.username, me.body.email, me.body.role],
    [userId, who.username, who.email, 'user'],
  )
})

test('the id of a sign-up is a secret: no time is in it', async () => {
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push((await anybody.post<SignedUp>('/api/users', newcomer())).body.id)
  const now = Date.now()
  // The 48 bits where a UUIDv7 has its milliseconds.
  const times = ids.map((id) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
  assert.equal(times.filter((time) => Math.abs(time - now) < 86_400_000).length, 0)
})

test('with Accept: text/event-stream the answer is the stream', async () => {
  const who = newcomer()
  const stream = await anybody.stream('/api/users', { method: 'POST', body: who })
  assert.equal(stream.status, 200)
  const [, id] = /^\/api\/sagas\/sign-up\/(.*)$/.exec(stream.headers.location ?? '') ?? []
  const views = viewsOf(await stream.ended())
  assert.deepEqual(
    views.map(({ version }) => version),
    views.map((_, i) => i + 1),
  )
  assert.ok(views.every((view) => view.id === id && !('userId' in view)))
  assert.equal(views.at(-1)?.status, 'completed')
  assert.ok(await logIn(system.url, who))
})

test('errors before the stream are problems, also for who asks for a stream', async () => {
  const { username } = await person(system.url)
  const taken = await anybody.stream('/api/users', { method: 'POST', body: newcomer({ username }) })
  await taken.ended()
  assertProblem(taken, 409, 'username_taken')
  const bad = await anybody.stream('/api/users', { method: 'POST', body: newcomer({ username: 'A' }) })
  await bad.ended()
  assertProblem(bad, 400, 'validation_failed')
})

test('a name and an e-mail address are taken once, the address whatever its case, also of a running sign-up', async () => {
  const first = newcomer({ email: 'Kim.Moss@Example.org' })
  assert.equal((await anybody.post('/api/users', first)).status, 202)
  const name = assertProblem(
    await anybody.post('/api/users', newcomer({ username: first.username })),
    409,
    'username_taken',
  )
  assert.deepEqual(name.errors, [{ path: '/username', message: 'is taken' }])
  const mail = assertProblem(
    await anybody.post('/api/users', newcomer({ email: 'kIM.mOSS@eXAMPLE.ORG' })),
    409,
    'email_taken',
  )
  assert.deepEqual(mail.errors, [{ path: '/email', message: 'is taken' }])
  const free = await anybody.get(`/api/usernames/${newcomer().username}`)
  assert.deepEqual([free.status, free.body], [200, { available: true }])
  assert.deepEqual((await anybody.get(`/api/usernames/${first.username}`)).body, { available: false })
})

test('capitals are what the database says they are, and it says so once', async () => {
  // Its small letter is two characters to JavaScript, and one to PostgreSQL.
  const email = '\u0130ris@example.org'
  assert.equal((await anybody.post('/api/users', newcomer({ email }))).status, 202)
  assertProblem(await anybody.post('/api/users', newcomer({ email })), 409, 'email_taken')
})

test('clients choose neither role, ids nor state, whatever else they send', async () => {
  const who = newcomer()
  const id = '019a0000-0000-7000-8000-00000000beef'
  const extra = {
    role: 'admin',
    id,
    userId: id,
    sagaId: id,
    status: 'active',
    passwordHash: 'x',
    claim: {},
    traceparent: 'x',
    createdAt: '2000-01-01T00:00:00.000Z',
  }
  const { status, body } = await anybody.post<SignedUp>('/api/users', { ...who, ...extra })
  assert.equal(status, 202)
  assert.notEqual(body.id, id)
  assert.notEqual(body.userId, id)
  await sagaEnded(anybody, `/api/sagas/sign-up/${body.id}`)
  const client = new Client(system.url, { token: await logIn(system.url, who) })
  assert.equal((await client.get('/api/me')).body.role, 'user')
  const patched = await client.patch('/api/me', {
    displayName: 'Moss',
    role: 'admin',
    username: 'other',
    email: 'other@example.org',
  })
  assert.deepEqual([patched.body.role, patched.body.username, patched.body.email], ['user', who.username, who.email])
  assertProblem(await client.get('/api/admin/sagas'), 403, 'forbidden')
})

test('an unknown role in a body hurts nobody', async () => {
  const answers = await Promise.all(
    ['root', 'user', undefined, { a: 1 }].map((role) => anybody.post('/api/users', { ...newcomer(), role })),
  )
  assert.deepEqual(
    answers.map(({ status }) => status),
    [202, 202, 202, 202],
  )
})

const INVALID: [what: string, change: Record<string, unknown>, path: string][] = [
  ['a short username', { username: 'ab' }, '/username'],
  ['a long username', { username: 'a'.repeat(31) }, '/username'],
  ['capitals in a username', { username: 'Moss.kim' }, '/username'],
  ['a line break behind a username', { username: 'moss\n' }, '/username'],
  ['a number for a username', { username: 12_345 }, '/username'],
  ['no username', { username: undefined }, '/username'],
  ['a short password', { password: 'nine char' }, '/password'],
  ['a long password', { password: 'x'.repeat(201) }, '/password'],
  ['an empty display name', { displayName: '' }, '/displayName'],
  ['a display name of 41 characters', { displayName: '🌱'.repeat(41) }, '/displayName'],
  ['an address without a domain', { email: 'moss' }, '/email'],
  ['a header in an address', { email: 'a@example.org\r\nBcc: b@example.org' }, '/email'],
  ['a list for an address', { email: ['a@example.org'] }, '/email'],
]
for (const [what, change, path] of INVALID)
  test(`${what}: 400 that names ${path}, and repeats no value`, async () => {
    const body = { ...newcomer(), ...change }
    const problem = assertProblem(await anybody.post('/api/users', body), 400, 'validation_failed')
    assert.deepEqual(
      (problem.errors as { path: string }[]).map((fault) => fault.path),
      [path],
    )
    assert.ok(!JSON.stringify(problem).includes(String(body.password)))
  })

test('lengths count code points; what is odd but legal passes', async () => {
  for (const change of [
    { displayName: '🌱'.repeat(40) },
    { password: '🌱'.repeat(10) },
    { password: '🌱'.repeat(200) },
    { username: '._-' + 'a'.repeat(27) },
    { displayName: 'half a pair \ud83c' },
    { displayName: "'); drop table users.account; --" },
  ]) {
    const who = newcomer(change)
    const { status, body, text } = await anybody.post<SignedUp>('/api/users', who)
    assert.equal(status, 202, text)
    assert.equal((await sagaEnded(anybody, `/api/sagas/sign-up/${body.id}`)).status, 'completed')
    assert.ok(await logIn(system.url, who))
  }
})

test('what is no JSON object is refused before anything is read', async () => {
  const json = { 'content-type': 'application/json' }
  for (const text of ['{"username":', '', '{"a":1}}'])
    assertProblem(await anybody.post('/api/users', text, json), 400, 'malformed_json')
  for (const text of ['[]', 'null', '"text"', '7'])
    assertProblem(await anybody.post('/api/users', text, json), 400, 'validation_failed')
  assertProblem(
    await anybody.post('/api/users', 'username=a', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'unsupported_media_type',
  )
  assertProblem(
    await anybody.post('/api/users', JSON.stringify(newcomer()), { 'content-type': 'text/plain' }),
    415,
    'unsupported_media_type',
  )
  assertProblem(
    await anybody.post('/api/users', newcomer({ displayName: 'x'.repeat(1 << 20) })),
    413,
    'payload_too_large',
  )
})
