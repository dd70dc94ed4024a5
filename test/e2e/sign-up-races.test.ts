// Many at once: for one name, for one address, with one Idempotency-Key, and all different.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { logIn, newcomer, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
type Told = SignedUp & { code?: string }
const countOf = (answers: readonly { status: number; body: Told }[], status: number, code?: string): number =>
  answers.filter((answer) => answer.status === status && answer.body.code === code).length

test('1,000 sign-ups of one name at once: exactly one is accepted, and it completes', async () => {
  const { username } = newcomer()
  const crowd = Array.from({ length: 1_000 }, () => newcomer({ username }))
  const answers = await Promise.all(crowd.map((who) => anybody.post<Told>('/api/users', who)))
  assert.deepEqual([countOf(answers, 202), countOf(answers, 409, 'username_taken')], [1, 999])
  const winner = answers.findIndex(({ status }) => status === 202)
  assert.equal((await sagaEnded(anybody, answers[winner]!.headers.location!)).status, 'completed')
  assert.ok(await logIn(system.url, crowd[winner]!))
  const accounts = await system.databases.user.query('select id from users.account where username = $1', [username])
  assert.deepEqual(accounts, [{ id: answers[winner]!.body.userId }])
})

test('1,000 sign-ups with one address in different case at once: exactly one is accepted', async () => {
  const email = 'the.one.and.only@example.org'
  const spellings = Array.from({ length: 1_000 }, (_, i) =>
    email.replaceAll(/./g, (letter, at: number) => ((i >> (at % 10)) & 1 ? letter.toUpperCase() : letter)),
  )
  assert.equal(new Set(spellings).size, 1_000)
  const answers = await Promise.all(
    spellings.map((spelling) => anybody.post<Told>('/api/users', newcomer({ email: spelling }))),
  )
  assert.deepEqual([countOf(answers, 202), countOf(answers, 409, 'email_taken')], [1, 999])
})

test('100 different people at once all get in', async () => {
  const streams = await Promise.all(
    Array.from({ length: 100 }, () => anybody.stream('/api/users', { method: 'POST', body: newcomer() })),
  )
  const ends = await Promise.all(streams.map(async (stream) => viewsOf(await stream.ended()).at(-1)))
  assert.deepEqual(new Set(ends.map((end) => end?.status)), new Set(['completed']))
  assert.equal(new Set(ends.map((end) => end?.id)).size, 100)
})

test('with an Idempotency-Key: the same request again has the first answer again, another body is a mismatch', async () => {
  const who = newcomer()
  const key = { 'idempotency-key': `key-${who.username}` }
  const first = await anybody.post<Told>('/api/users', who, key)
  assert.equal(first.status, 202)
  await sagaEnded(anybody, first.headers.location!)
  const again = await anybody.post<Told>('/api/users', who, key)
  assert.deepEqual([again.status, again.headers.location, again.text], [202, first.headers.location, first.text])
  assertProblem(await anybody.post('/api/users', newcomer(), key), 409, 'idempotency_mismatch')
  for (const bad of ['', 'x'.repeat(129), 'with space', 'ünïcode'])
    assertProblem(await anybody.post('/api/users', newcomer(), { 'idempotency-key': bad }), 400, 'validation_failed')
  assert.equal((await anybody.post('/api/users', newcomer(), { 'idempotency-key': 'x'.repeat(128) })).status, 202)
})

test('ten at once with one key: one account, one saga, one answer', async () => {
  const who = newcomer()
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => anybody.post<Told>('/api/users', who, { 'idempotency-key': who.username })),
  )
  assert.deepEqual(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1)
  assert.equal(answers[0]!.status, 202)
  const sagas = await system.databases.user.query(`select from saga.saga where owner_id = $1`, [
    answers[0]!.body.userId,
  ])
  assert.equal(sagas.length, 1)
})

test('with an Idempotency-Key and as a stream: again is the same saga from its first version', async () => {
  const who = newcomer()
  const ask = { method: 'POST', body: who, headers: { 'idempotency-key': who.username } }
  const first = await anybody.stream('/api/users', ask)
  const events = await first.ended()
  const again = await anybody.stream('/api/users', ask)
  assert.deepEqual([again.status, again.headers.location], [200, first.headers.location])
  assert.deepEqual(await again.ended(), events)
  assert.equal(viewsOf(events).at(-1)?.status, 'completed')
  const plain = await anybody.post<Told>('/api/users', who, { 'idempotency-key': who.username })
  assert.deepEqual([plain.status, plain.headers.location, plain.body.version], [202, first.headers.location, 1])
})

test('a refusal is an answer as well: the same key keeps it', async () => {
  const who = newcomer()
  await anybody.post('/api/users', who)
  const key = { 'idempotency-key': `again-${who.username}` }
  const refused = newcomer({ username: who.username })
  for (let i = 0; i < 2; i++) assertProblem(await anybody.post('/api/users', refused, key), 409, 'username_taken')
})
