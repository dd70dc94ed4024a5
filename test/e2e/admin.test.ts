// The first admin, and what admins see of sagas.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { HistoryEntry, SagaView } from '@pando/saga'
import { assertProblem, Client } from '../support/client.ts'
import { OPERATOR, operator } from '../support/operator.ts'
import { logIn, newcomer, person, sagaEnded, type SignedUp } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after }, { env: OPERATOR })
const { user: db } = system.databases
const anybody = new Client(system.url)
// Who reads "ready" may log in: nothing is waited for.
const admin = new Client(system.url, { token: await logIn(system.url, operator) })

type Row = SagaView & { ownerId: string | null }
interface Page {
  items: Row[]
  next: string | null
}
const list = async (query = ''): Promise<Page> => (await admin.get<Page>(`/api/admin/sagas${query}`)).body
async function allPages(limit: number, query = ''): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page = await list(`?limit=${limit}${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    assert.ok(page.items.length <= limit)
    rows.push(...page.items)
    cursor = page.next
  }
  return rows
}

test('the admin of the environment is made by a sign-up of its own, once, and keeps its password', async () => {
  const { body } = await admin.get('/api/me')
  assert.deepEqual([body.username, body.role], [operator.username, 'admin'])
  assert.equal((await admin.get('/api/me/wallet')).body.balance, 0)
  await system.join(['user'], { ...OPERATOR, ADMIN_PASSWORD: 'another long password' })
  assert.equal((await db.query(`select from users.account where role = 'admin'`)).length, 1)
  assert.ok(await logIn(system.url, operator))
  assert.equal((await anybody.post('/api/sessions', { ...operator, password: 'another long password' })).status, 401)
})

test('two processes that start at once make one admin', async () => {
  const env = { ADMIN_USERNAME: 'second.admin', ADMIN_PASSWORD: 'the admin has a long password' }
  await Promise.all([system.join(['user'], env), system.join(['user'], env)])
  await until(
    'the admin',
    async () =>
      (await anybody.post('/api/sessions', { username: env.ADMIN_USERNAME, password: env.ADMIN_PASSWORD })).status ===
      201,
  )
  assert.equal(
    (await db.query(`select from users.account where username = 'second.admin' and role = 'admin'`)).length,
    1,
  )
})

test('a role is that of the account at log-in; a token says it, and a forged one nothing', async () => {
  const who = await person(system.url)
  assertProblem(await who.client.get('/api/admin/sagas'), 403, 'forbidden')
  await db.query(`update users.account set role = 'admin' where id = $1`, [who.id])
  assertProblem(await who.client.get('/api/admin/sagas'), 403, 'forbidden')
  const token = await logIn(system.url, who)
  assert.equal((await new Client(system.url, { token }).get('/api/admin/sagas')).status, 200)
  const [head, claims = '', signature] = who.token.split('.')
  const better = Buffer.from(Buffer.from(claims, 'base64url').toString().replace('"user"', '"admin"')).toString(
    'base64url',
  )
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const forged of [`${head}.${better}.${signature}`, `${none}.${better}.`, `${head}.${claims}.`]) {
    assertProblem(await new Client(system.url, { token: forged }).get('/api/admin/sagas'), 401, 'unauthenticated')
    assertProblem(await new Client(system.url, { token: forged }).get('/api/me'), 401, 'unauthenticated')
  }
})

test('an admin whose account is deleted is nobody any more', async () => {
  const who = await person(system.url)
  await db.query(`update users.account set role = 'admin' where id = $1`, [who.id])
  const former = new Client(system.url, { token: await logIn(system.url, who) })
  assert.equal((await former.get('/api/admin/lag')).status, 200)
  const { headers } = await former.delete('/api/me', { password: who.password })
  assert.equal((await sagaEnded(former, headers.location!)).status, 'completed')
  for (const path of ['sagas', 'parked', 'lag', `sagas/sign-up/${who.sagaId}`])
    assertProblem(await former.get(`/api/admin/${path}`), 401, 'unauthenticated')
  assertProblem(await former.post('/api/admin/parked/chat/x/redrive'), 401, 'unauthenticated')
})

test('sagas: failed and overdue first, each kind newest first, whatever the size of the pages', async () => {
  const ids: string[] = []
  for (let i = 0; i < 6; i++) {
    const { sagaId } = await person(system.url)
    ids.push(sagaId)
  }
  // As if one had failed, and another one were past its deadline without anybody looking.
  const [, failed, , overdue] = ids
  await db.query(
    `update saga.saga set status = 'failed', view = replace(view, '"status":"completed"', '"status":"failed"') where id = $1`,
    [failed],
  )
  await db.query(
    `update saga.saga set status = 'running', ended_at = null, deadline = '2020-01-01T00:00:00.000Z', due_at = null,
       view = regexp_replace(regexp_replace(replace(view, '"status":"completed"', '"status":"running"'), '"deadline":"[^"]*"', '"deadline":"2020-01-01T00:00:00.000Z"'), '"endedAt":"[^"]*"', '"endedAt":null') where id = $1`,
    [overdue],
  )
  const whole = await allPages(100)
  assert.deepEqual(
    whole.slice(0, 2).map(({ id, status }) => [id, status]),
    [
      [overdue, 'running'],
      [failed, 'failed'],
    ],
  )
  const rest = whole.slice(2)
  assert.ok(rest.every(({ status, ownerId }) => status === 'completed' && ownerId !== null))
  assert.deepEqual(
    rest,
    rest.toSorted((a, b) =>
      a.startedAt === b.startedAt ? (a.id < b.id ? 1 : -1) : a.startedAt < b.startedAt ? 1 : -1,
    ),
  )
  for (const limit of [1, 2, 5]) assert.deepEqual(await allPages(limit), whole)
  assert.equal((await list()).items.length, Math.min(30, whole.length))

  assert.deepEqual(
    (await allPages(2, '&status=failed')).map(({ id }) => id),
    [failed],
  )
  assert.deepEqual(
    await allPages(3, '&type=account-deletion'),
    whole.filter(({ type }) => type === 'account-deletion'),
  )
  assert.deepEqual(await list('?type=nothing'), { items: [], next: null })
  for (const query of ['?status=odd', '?limit=0', '?limit=101', '?cursor=x', '?cursor=e30'])
    assertProblem(await admin.get(`/api/admin/sagas${query}`), 400, 'validation_failed')
})

test('a saga with its history: every event behind its cause, with where it lies and nothing secret', async () => {
  const who = newcomer()
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const { body, headers } = await anybody.post<SignedUp>('/api/users', who, { traceparent })
  const view = await sagaEnded(anybody, headers.location!)
  const path = `/api/admin${headers.location!.slice('/api'.length)}`
  const saga = await until('the place of the last event', async () => {
    const answer = await admin.get<Row & { history: HistoryEntry[] }>(path)
    assert.equal(answer.status, 200)
    return answer.body.history.every(({ offset }) => offset !== null) && answer.body
  })
  const { history, ownerId, ...rest } = saga
  assert.deepEqual(rest, view)
  assert.equal(ownerId, body.userId)
  assert.deepEqual(history.map(({ type }) => type).toSorted(), [
    'chat.member-added',
    'customer.wallet-opened',
    'user.registered',
    'user.sign-up-started',
  ])
  for (const [i, entry] of history.entries()) {
    const causes = history.slice(0, i).map(({ eventId }) => eventId)
    assert.equal(entry.causationId === null, i === 0)
    if (i > 0) assert.ok(causes.includes(entry.causationId!), `${entry.type} stands behind its cause`)
    assert.equal(entry.service, entry.type.split('.')[0])
    assert.deepEqual([entry.version, entry.attempt, entry.topic], [1, 1, entry.service])
    assert.ok(Date.parse(entry.recordedAt) <= Date.parse(entry.receivedAt))
    const [record] = await system.databases.log.query<{ id: string; body: string }>(
      `select r.id, r.body from log.record r join log.partition p on p.id = r.partition_id where p.topic = $1 and p.partition = $2 and r."offset" = $3`,
      [entry.topic, entry.partition, entry.offset],
    )
    assert.equal(record?.id, entry.eventId)
    assert.equal((JSON.parse(record.body) as { traceparent: string }).traceparent, traceparent)
    assert.equal((entry.data as { userId: string }).userId, body.userId)
    assert.doesNotMatch(JSON.stringify(entry.data), /mail|password|hash/i)
  }
  assertProblem(await admin.get(`/api/admin/sagas/account-deletion/${body.id}`), 404, 'not_found')
  for (const id of ['x', body.userId])
    assertProblem(await admin.get(`/api/admin/sagas/sign-up/${id}`), 404, 'not_found')
})
