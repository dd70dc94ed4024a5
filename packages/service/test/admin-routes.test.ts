import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import type { AdminSource, Parked, SagaWithOwner } from '../src/admin.ts'
import { adminRoutes } from '../src/admin-routes.ts'
import { authentication } from '../src/auth.ts'
import { originPolicy } from '../src/origin.ts'
import { Problem } from '../src/problem.ts'
import { createVerifier } from '../src/verifier.ts'
import { assertProblem, testApp } from './app.ts'
import { testKey } from './tokens.ts'

interface Place {
  urgent: boolean
  startedAt: string
  id: string
}
const FUTURE = '2999-01-01T00:00:00.000Z'
const PAST = '2020-01-01T00:00:00.000Z'

const saga = (over: Partial<SagaWithOwner> = {}): SagaWithOwner => ({
  id: randomUUID(),
  type: 'sign-up',
  status: 'running',
  version: 1,
  steps: {},
  reason: null,
  startedAt: PAST,
  deadline: FUTURE,
  endedAt: null,
  ownerId: 'u1',
  ...over,
})
const placeOf = ({ status, endedAt, deadline, startedAt, id }: SagaWithOwner): Place => ({
  urgent: status === 'failed' || (endedAt === null && deadline < FUTURE),
  startedAt,
  id,
})
// Urgent ones first, then newest first; ids decide between those that started in the same millisecond.
function before(a: Place, b: Place): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1
  if (a.startedAt !== b.startedAt) return a.startedAt > b.startedAt ? -1 : 1
  return a.id > b.id ? -1 : a.id < b.id ? 1 : 0
}

/** A service's operator's side over a list, as a database would answer. */
function source(service: string, sagas: readonly SagaWithOwner[], more: Partial<AdminSource> = {}): AdminSource {
  const nothing = (): never => {
    throw new Error('not asked for in this test')
  }
  return {
    service,
    async sagas({ type, status, limit, after }) {
      const found = sagas
        .filter((one) => (type === undefined || one.type === type) && (status === undefined || one.status === status))
        .filter((one) => after === undefined || before(after, placeOf(one)) < 0)
        .toSorted((a, b) => before(placeOf(a), placeOf(b)))
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? placeOf(items.at(-1)!) : null }
    },
    saga: async (type, id) =>
      sagas.map((one) => ({ ...one, history: [] })).find((one) => one.type === type && one.id === id),
    parked: nothing,
    redrive: nothing,
    discard: nothing,
    lag: nothing,
    ...more,
  }
}

const parkedKey = (service: string, key: string, since = PAST): Parked => ({
  service,
  key,
  since,
  error: 'why',
  attempts: 4,
  events: [{ id: 'e', type: 't', time: null, data: { a: 1 } }],
})

async function setUp(t: TestContext) {
  const { app } = await testApp(t)
  const { keys, token } = await testKey()
  let sources: readonly AdminSource[] = []
  const tokens: string[] = []
  await app.register(async (scope) => {
    await scope.register(authentication, { verifier: createVerifier({ keys }), origins: originPolicy(app.server) })
    await scope.register(adminRoutes, { sources: (accessToken) => (tokens.push(accessToken), sources) })
  })
  const accessToken = await token({ role: 'admin' })
  const ask = (url: string, method: 'GET' | 'POST' = 'GET', payload?: object) =>
    app.inject({
      method,
      url: `/api/admin/${url}`,
      headers: { authorization: `Bearer ${accessToken}` },
      ...(payload && { payload }),
    })
  async function pages(limit: number, query = ''): Promise<string[]> {
    const ids: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const answer = await ask(`sagas?limit=${limit}${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      assert.equal(answer.statusCode, 200, answer.body)
      const page: { items: SagaWithOwner[]; next: string | null } = answer.json()
      assert.ok(page.items.length <= limit && (page.items.length > 0 || page.next === null))
      ids.push(...page.items.map(({ id }) => id))
      assert.ok(ids.length < 100, 'it comes to an end')
      cursor = page.next
    }
    return ids
  }
  return {
    app,
    ask,
    pages,
    tokens,
    accessToken,
    userToken: await token({ role: 'user' }),
    use: (...those: AdminSource[]) => (sources = those),
  }
}

test('pages of several services are one list, without a gap or a repeat, whatever the limit', async (t) => {
  const { pages, use } = await setUp(t)
  const one = fc.record({
    at: fc.constantFrom(...Array.from({ length: 4 }, (_, i) => `2026-01-01T00:00:00.00${i}Z`)),
    kind: fc.constantFrom('running', 'completed', 'failed', 'overdue'),
    where: fc.nat({ max: 2 }),
  })
  const sagas = fc.array(one, { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(sagas, fc.integer({ min: 1, max: 5 }), async (drawn, limit) => {
      const made = drawn.map(({ at, kind, where }) => ({
        where,
        view: saga({
          startedAt: at,
          ...(kind === 'overdue' ? { deadline: PAST } : { status: kind as 'running' }),
          ...(kind === 'completed' || kind === 'failed' ? { endedAt: at } : {}),
        }),
      }))
      use(
        ...[0, 1, 2].map((n) =>
          source(
            `s${n}`,
            made.flatMap(({ where, view }) => (where === n ? [view] : [])),
          ),
        ),
      )
      const wanted = made.map(({ view }) => view).toSorted((a, b) => before(placeOf(a), placeOf(b)))
      assert.deepEqual(
        await pages(limit),
        wanted.map(({ id }) => id),
      )
      const failed = wanted.filter(({ status }) => status === 'failed')
      assert.deepEqual(
        await pages(limit, '&status=failed'),
        failed.map(({ id }) => id),
      )
    }),
    { numRuns: 60 },
  )
})

test('a saga is looked for in every service; the type counts', async (t) => {
  const { ask, use } = await setUp(t)
  const [mine, yours] = [saga(), saga({ type: 'post-deletion' })]
  use(source('user', [mine]), source('market', [yours]))
  assert.deepEqual((await ask(`sagas/post-deletion/${yours.id}`)).json(), { ...yours, history: [] })
  assertProblem(await ask(`sagas/sign-up/${yours.id}`), 404, 'not_found')
  assertProblem(await ask('sagas/sign-up/x'), 404, 'not_found')
})

test('parked keys and lags of all services; what is sent again or given up is that of the service named', async (t) => {
  const { ask, use, tokens, accessToken } = await setUp(t)
  const done: string[] = []
  const side = (service: string): AdminSource =>
    source(service, [], {
      parked: async () => ({ items: [parkedKey(service, 'k')], more: false }),
      lag: async () => ({
        service,
        outbox: { rows: 1, oldestMs: 2 },
        partitions: [{ group: service, topic: 'user', partition: 0, next: 3, behind: 4 }],
      }),
      async redrive(key) {
        if (key !== 'k/1') throw new Problem('not_found')
        done.push(`${service} redrive ${key}`)
      },
      discard: async (key, reason) => void done.push(`${service} discard ${key} ${reason}`),
    })
  use(side('user'), side('chat'))
  assert.deepEqual(
    (await ask('parked')).json<{ items: { service: string }[] }>().items.map(({ service }) => service),
    ['chat', 'user'],
  )
  assert.deepEqual((await ask('lag')).json<{ items: object[] }>().items[0], {
    service: 'chat',
    outbox: { rows: 1, oldestMs: 2 },
    partitions: [{ group: 'chat', topic: 'user', partition: 0, next: 3, behind: 4 }],
  })
  const redrive = await ask('parked/chat/k%2F1/redrive', 'POST')
  assert.deepEqual([redrive.statusCode, redrive.body], [202, ''])
  const discard = await ask('parked/user/k%2F1/discard', 'POST', { reason: 'because' })
  assert.deepEqual([discard.statusCode, discard.body], [204, ''])
  assert.deepEqual(done, ['chat redrive k/1', 'user discard k/1 because'])
  assertProblem(await ask('parked/chat/other/redrive', 'POST'), 404, 'not_found')
  assertProblem(await ask('parked/market/k/redrive', 'POST'), 404, 'not_found')
  assertProblem(await ask('parked/chat/k/discard', 'POST', { reason: 'x'.repeat(501) }), 400, 'validation_failed')
  assert.ok(
    tokens.length > 0 && tokens.every((text) => text === accessToken),
    'services elsewhere are asked with the token of the admin',
  )
})

test('who is no admin gets nowhere: 403, and without a token 401, whatever else is wrong', async (t) => {
  const { app, use, userToken } = await setUp(t)
  use(source('user', [saga()]))
  const routes = [
    ['GET', 'sagas'],
    ['GET', 'sagas?limit=0'],
    ['GET', `sagas/sign-up/${randomUUID()}`],
    ['GET', 'parked'],
    ['POST', 'parked/user/k/redrive'],
    ['POST', 'parked/nobody/k/redrive'],
    ['POST', 'parked/user/k/discard'],
    ['GET', 'lag'],
  ] as const
  for (const [method, path] of routes) {
    const url = `/api/admin/${path}`
    assertProblem(await app.inject({ method, url }), 401, 'unauthenticated')
    const headers = { authorization: `Bearer ${userToken}` }
    assertProblem(await app.inject({ method, url, headers }), 403, 'forbidden')
  }
})
