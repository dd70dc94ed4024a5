import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { type Database, transaction } from '@pando/saga'
import { Type } from 'typebox'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from '../../../test/support/until.ts'
import { idempotency, repeatAnswer } from '../src/idempotency.ts'
import { createIdempotencyStore, createServiceTables, migrateService } from '../src/idempotency-store.ts'
import type { Answer, Claim, IdempotencyStore } from '../src/idempotency-store.ts'
import { Problem } from '../src/problem.ts'
import type { Identity } from '../src/verifier.ts'
import { assertProblem, testApp } from './app.ts'

const secret = randomBytes(32).toString('hex')

/** `line`: what becomes of statements on their way to the database, or of its answers. */
async function openStore(t: TestContext, waitMs?: number) {
  const database = await testDatabase(t, { migrate: migrateService, template: 'service' })
  const line: { breaks?: 'on the way there' | 'on the way back' | undefined } = {}
  const query: Database['query'] = async (text, values) => {
    if (line.breaks === 'on the way there') throw new Error('Connection terminated unexpectedly')
    const rows = await database.query<never>(text, values)
    if (line.breaks === 'on the way back') throw new Error('Connection terminated unexpectedly')
    return rows
  }
  const db = { ...database, query }
  return { db, line, store: createIdempotencyStore({ db, secret, ...(waitMs !== undefined && { waitMs }) }) }
}

// The handler says how often it ran; `act` is what it does.
async function setUp(t: TestContext, act: (runs: number) => unknown = () => ({}), waitMs?: number) {
  const { db, line, store } = await openStore(t, waitMs)
  const { app, lines } = await testApp(t)
  let runs = 0
  await app.register(async (scope) => {
    scope.decorateRequest('identity', undefined)
    scope.addHook('onRequest', async (request) => {
      const userId = request.headers['x-user']
      if (typeof userId === 'string') request.identity = { userId } as Identity
    })
    await scope.register(idempotency, { store })
    scope.post('/api/things', { schema: { body: Type.Object({ name: Type.String() }) } }, async (_request, reply) => {
      runs++
      await act(runs)
      reply
        .code(201)
        .header('location', `/api/things/${runs}`)
        .setCookie('a', 'secret-token', { httpOnly: true })
        .setCookie('b', '2')
      return { runs }
    })
    scope.post('/api/sessions/refresh', async () => ({ runs: ++runs }))
    scope.post('/api/stream', (_request, reply) => {
      runs++
      reply.hijack()
      reply.raw.end('stream')
    })
    scope.post('/api/manual', { config: { idempotency: 'manual' } }, async (request, reply) =>
      request.firstAnswer ? repeatAnswer(reply.header('x-again', 'yes'), request.firstAnswer) : { runs: ++runs },
    )
    scope.post('/api/off', { config: { idempotency: 'off' } }, async () => ({ runs: ++runs }))
    scope.get('/api/things', async () => ({ runs: ++runs }))
  })
  const post = (
    key: string,
    payload: object | undefined = { name: 'fern' },
    headers: Record<string, string> = {},
    url = '/api/things',
  ) => app.inject({ method: 'POST', url, payload, headers: { 'idempotency-key': key, ...headers } })
  return { app, db, line, store, lines, post, runs: () => runs }
}

test('the same request again has the first answer again, with its headers and cookies', async (t) => {
  const { post, runs } = await setUp(t)
  const first = await post('k')
  const again = await post('k')
  assert.equal(runs(), 1)
  for (const answer of [first, again]) {
    assert.equal(answer.statusCode, 201)
    assert.deepEqual(answer.json(), { runs: 1 })
    assert.equal(answer.headers.location, '/api/things/1')
    assert.deepEqual(answer.headers['set-cookie'], ['a=secret-token; HttpOnly; SameSite=Lax', 'b=2; SameSite=Lax'])
  }
  assert.equal(again.headers['content-type'], first.headers['content-type'])
  assert.notEqual(again.headers['x-request-id'], first.headers['x-request-id'])
})

test('another request under the same key is a mismatch; another user has keys of their own', async (t) => {
  const { post, runs } = await setUp(t)
  await post('k')
  assertProblem(await post('k', { name: 'moss' }), 409, 'idempotency_mismatch')
  assertProblem(await post('k', undefined, {}, '/api/sessions/refresh'), 409, 'idempotency_mismatch')
  assert.equal(runs(), 1)
  assert.deepEqual((await post('k', undefined, { 'x-user': 'u1' })).json(), { runs: 2 })
  assert.deepEqual((await post('k', { name: 'moss' }, { 'x-user': 'u2' })).json(), { runs: 3 })
})

test('whoever is only known by a refresh cookie does not get another one’s answer', async (t) => {
  const { post } = await setUp(t)
  const refresh = (cookie: string) =>
    post('k', undefined, { cookie: `pando_refresh=${cookie}` }, '/api/sessions/refresh')
  assert.deepEqual((await refresh('mine')).json(), { runs: 1 })
  assert.deepEqual((await refresh('mine')).json(), { runs: 1 })
  assertProblem(await refresh('another'), 409, 'idempotency_mismatch')
})

test('ten at once: one runs, all get its answer, and no connection is held meanwhile', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const busy: number[] = []
  const { db, post, runs } = await setUp(t, async () => {
    await promise
    busy.push(db.stats().total - db.stats().idle)
  })
  const answers = Array.from({ length: 10 }, () => post('k'))
  while (runs() === 0 || db.stats().waiting > 0 || db.stats().total > db.stats().idle)
    await new Promise((again) => setImmediate(again))
  resolve()
  for (const answer of await Promise.all(answers))
    assert.deepEqual([answer.statusCode, answer.json()], [201, { runs: 1 }])
  assert.equal(runs(), 1)
  assert.deepEqual(busy, [0])
})

test('who waited long enough is told to come again', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { post, runs } = await setUp(t, () => promise, 0)
  const first = post('k')
  while (runs() === 0) await new Promise((again) => setImmediate(again))
  const second = await post('k')
  assertProblem(second, 409, 'conflict')
  assert.equal(second.headers['retry-after'], '1')
  assertProblem(await post('k', { name: 'moss' }), 409, 'idempotency_mismatch')
  resolve()
  assert.equal((await first).statusCode, 201)
})

test('a refusal is an answer, trouble is not', async (t) => {
  const troubles = [
    new Problem('unavailable'),
    new Error('bug'),
    new Problem('rate_limited'),
    new Problem('username_taken'),
    new Error('never reached'),
  ]
  const { post, runs } = await setUp(t, (run) => Promise.reject(troubles[run - 1] ?? new Error('too often')))
  const codes = []
  for (let i = 0; i < 5; i++) codes.push((await post('k')).json<{ code: string }>().code)
  assert.deepEqual(codes, ['unavailable', 'internal', 'rate_limited', 'username_taken', 'username_taken'])
  assert.equal(runs(), 4)
})

test('keys are visible ASCII, 1 to 128 of it; a bad body does not use one up', async (t) => {
  const { app, post, runs } = await setUp(t)
  for (const key of ['', 'x'.repeat(129), 'a b', 'a\tb', 'café'])
    assertProblem(await post(key), 400, 'validation_failed')
  assertProblem(await post('k', {}), 400, 'validation_failed')
  assert.equal(runs(), 0)
  assert.equal((await post('x'.repeat(128))).statusCode, 201)
  assert.equal((await post('k')).statusCode, 201)
  await app.inject({ url: '/api/things', headers: { 'idempotency-key': 'k' } })
  await post('k', undefined, {}, '/api/off')
  assert.equal(runs(), 4)
})

test('a stream gives its key back, a manual route gets the first answer', async (t) => {
  const { db, post, runs } = await setUp(t)
  await post('s', undefined, {}, '/api/stream')
  const left = () => db.query('select 1 from service.idempotency where answer is null')
  while ((await left()).length > 0);
  await post('s', undefined, {}, '/api/stream')
  assert.equal(runs(), 2)
  assert.deepEqual((await post('m', undefined, {}, '/api/manual')).json(), { runs: 3 })
  const again = await post('m', undefined, {}, '/api/manual')
  assert.deepEqual([again.json(), again.headers['x-again']], [{ runs: 3 }, 'yes'])
})

test('what is stored shows neither the answer nor whether a guess of the body is right', async (t) => {
  const { db, post } = await setUp(t)
  await post('k', { name: 'a-password' })
  const [row] = await db.query<{ answer: Buffer; fingerprint: Buffer }>(
    'select answer, fingerprint from service.idempotency',
  )
  assert.ok(row)
  assert.doesNotMatch(row.answer.toString('latin1'), /secret-token|runs/)
  const guess = ['POST', '/api/things', '{"name":"a-password"}', '']
  assert.notDeepEqual(row.fingerprint, createHash('sha256').update(JSON.stringify(guess)).digest())
  const other = createIdempotencyStore({ db, secret: 'another secret of 16+' })
  assert.notDeepEqual(row.fingerprint, other.fingerprint(guess))
  assert.deepEqual(row.fingerprint, createIdempotencyStore({ db, secret }).fingerprint(guess))
})

const answer: Answer = { status: 202, headers: { location: '/api/sagas/sign-up/1' }, body: '{"id":1}' }

async function claimed(store: IdempotencyStore, key = 'k'): Promise<Claim> {
  const claim = await store.claim({ owner: '', key, fingerprint: store.fingerprint([key]) })
  assert.ok('id' in claim)
  return claim
}
const answered = (store: IdempotencyStore, key = 'k') =>
  store.claim({ owner: '', key, fingerprint: store.fingerprint([key]) })

test('an answer stored with its effect: both or neither', async (t) => {
  const { db, store } = await openStore(t)
  await db.query('create table effect (n integer)')
  const claims = [await claimed(store, 'a'), await claimed(store, 'b')]
  const settlements = claims.map((claim) => ({ claim, answer }))
  const act = (fails: boolean) =>
    transaction(db, async (tx) => {
      const held = await store.storeAnswers(tx, settlements)
      assert.deepEqual(held, new Set(claims.map(({ id }) => id)))
      await tx.query('insert into effect values (1)')
      if (fails) throw new Error('no')
    })
  await assert.rejects(act(true), /no/)
  assert.deepEqual(
    claims.map(({ settled }) => settled),
    [false, false],
  )
  await act(false)
  assert.deepEqual(
    claims.map(({ settled }) => settled),
    [true, true],
  )
  assert.equal((await db.query('select * from effect')).length, 1)
  for (const key of ['a', 'b']) assert.deepEqual(await answered(store, key), answer)
})

test('a dead attempt is replaced after 60 s, and when it was only slow it has lost its claim', async (t) => {
  const { db, store } = await openStore(t, 0)
  const slow = await claimed(store)
  await db.query(`update service.idempotency set claimed_at = now() - interval '59 seconds'`)
  await assert.rejects(answered(store), { code: 'conflict' })
  await db.query(`update service.idempotency set claimed_at = now() - interval '61 seconds'`)
  const next = await claimed(store)
  assert.notEqual(next.id, slow.id)
  const held = await transaction(db, (tx) => store.storeAnswers(tx, [{ claim: slow, answer }]))
  assert.equal(held.size, 0)
  await store.release(slow)
  await store.store({ claim: next, answer })
  await store.store({ claim: slow, answer: { ...answer, status: 500 } })
  assert.deepEqual(await answered(store), answer)
})

test('a claim that cannot be given back, for the database is away, is given back when it is there again', async (t) => {
  const { line, store } = await openStore(t)
  const failed = await claimed(store)
  line.breaks = 'on the way there'
  await store.release(failed)
  line.breaks = undefined
  const next = await claimed(store)
  assert.notEqual(next.id, failed.id)
})

test('a claim of which only the answer was lost does not keep others waiting', async (t) => {
  const { line, store } = await openStore(t)
  line.breaks = 'on the way back'
  await assert.rejects(claimed(store), /terminated/)
  line.breaks = undefined
  await claimed(store)
})

test('what was answered but could not be kept does not happen again', async (t) => {
  const { post, line, runs, store } = await setUp(t, () => void (line.breaks = 'on the way there'), 0)
  const failed = await claimed(store, 'other')
  assert.equal((await post('k')).statusCode, 201)
  await store.release(failed)
  line.breaks = undefined
  await until('what has to be given back is', () => claimed(store, 'other').catch(() => false))
  assertProblem(await post('k'), 409, 'conflict')
  assert.equal(runs(), 1)
})

test('answers are kept for 24 hours', async (t) => {
  const { db, store } = await openStore(t)
  await store.store({ claim: await claimed(store, 'old'), answer })
  await store.store({ claim: await claimed(store, 'older'), answer })
  await db.query(`update service.idempotency set claimed_at = now() - interval '23 hours 59 minutes'`)
  assert.deepEqual(await answered(store, 'old'), answer)
  assert.equal(await store.purge(), 0)
  await db.query(`update service.idempotency set claimed_at = now() - interval '24 hours 1 minute'`)
  assert.ok('id' in (await answered(store, 'old')), 'free again, also when nobody purged')
  assert.equal(await store.purge(), 1)
})

test('an answer does not open in another row', async (t) => {
  const { db, store } = await openStore(t)
  await store.store({ claim: await claimed(store, 'a'), answer })
  await store.store({ claim: await claimed(store, 'b'), answer })
  await db.query(
    `update service.idempotency set answer = (select answer from service.idempotency where key = 'a') where key = 'b'`,
  )
  await assert.rejects(answered(store, 'b'))
})

test('a database has a secret of its own, which all processes on it have', async (t) => {
  const [db, otherDb] = [await testDatabase(t), await testDatabase(t)]
  const [one, same, other] = [createServiceTables(db), createServiceTables(db), createServiceTables(otherDb)]
  for (const tables of [one, same, other]) await tables.migrate()
  assert.equal(one.secret().length, 72)
  assert.equal(same.secret(), one.secret())
  assert.notEqual(other.secret(), one.secret())
  assert.deepEqual(same.store.fingerprint(['a']), one.store.fingerprint(['a']))
  assert.notDeepEqual(other.store.fingerprint(['a']), one.store.fingerprint(['a']))
})
