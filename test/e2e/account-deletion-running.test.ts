// A deletion that goes on for a while, because the chat is away: asked for again, watched, given up.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { SagaView } from '@pando/saga'
import { assertProblem, Client } from '../support/client.ts'
import { logIn, person, sagaEnded, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after }, { services: ['user', 'customer', 'market'] })
const { databases, hub } = system
let chat = await system.join(['chat'])
const anybody = new Client(system.url)

/** Somebody whose deletion runs and waits for the chat. */
async function leaver() {
  chat = await comeBack()
  const who = await person(system.url)
  const secondToken = await logIn(system.url, who)
  await chat.stop()
  const { body, headers } = await who.client.delete<SagaView>('/api/me', { password: who.password })
  await until('the others', async () => {
    const { steps } = (await who.client.get<SagaView>(headers.location!)).body
    return [steps.customer, steps.market].every((step) => step?.status === 'done')
  })
  return { ...who, secondToken, saga: headers.location!, deletionId: body.id }
}
async function comeBack() {
  await chat.stop()
  return system.join(['chat'])
}

test('asked again while it runs: 202 with the same saga, however many ask; a wrong password is still forbidden', async () => {
  const who = await leaver()
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => who.client.delete<SagaView>('/api/me', { password: who.password })),
  )
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.location]),
    answers.map(() => [202, who.saga]),
  )
  assert.ok(answers.every(({ body }) => body.id === who.deletionId && body.status === 'running'))
  assertProblem(await who.client.delete('/api/me', { password: 'not the password' }), 403, 'forbidden')
  assertProblem(await anybody.post('/api/sessions', who), 401, 'invalid_credentials')
  assert.deepEqual((await anybody.get(`/api/usernames/${who.username}`)).body, { available: false })
  const stream = await who.client.stream(`${who.saga}/events`)
  chat = await comeBack()
  assert.equal(viewsOf(await stream.ended()).at(-1)?.status, 'completed', 'the stream is not cut when the account goes')
  const sagas = await databases.user.query(`select from saga.saga where type = 'account-deletion' and owner_id = $1`, [
    who.id,
  ])
  assert.equal(sagas.length, 1)
})

test('five first requests at once start one saga', async () => {
  chat = await comeBack()
  const who = await person(system.url)
  await chat.stop()
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => who.client.delete<SagaView>('/api/me', { password: who.password })),
  )
  assert.deepEqual(new Set(answers.map(({ status, headers }) => `${status} ${headers.location}`)).size, 1)
  assert.equal(answers[0]!.status, 202)
  chat = await comeBack()
  assert.equal((await sagaEnded(who.client, answers[0]!.headers.location!)).status, 'completed')
})

test('its deadline ends it, and everything is as before', async () => {
  const who = await leaver()
  // As if its 30 seconds were over.
  await databases.user.query('update saga.saga set due_at = now() where id = $1', [who.deletionId])
  const end = await sagaEnded(who.client, who.saga)
  assert.deepEqual([end.status, end.reason], ['failed', 'deadline'])
  assert.deepEqual(end.steps, {
    user: { status: 'undone' },
    chat: { status: 'failed', reason: 'deadline' },
    customer: { status: 'undone' },
    market: { status: 'undone' },
  })
  assert.ok(await logIn(system.url, who))
  assert.deepEqual(await databases.customer.query('select held_by from customer.wallet where user_id = $1', [who.id]), [
    { held_by: null },
  ])
  chat = await comeBack()
  const types = async () =>
    (await databases.log.query<{ type: string }>('select type from log.record where key = $1', [who.id])).map(
      ({ type }) => type,
    )
  await until('chat.member-restored', async () => (await types()).includes('chat.member-restored'))
  assert.deepEqual(await databases.chat.query('select held_by from chat.member where user_id = $1', [who.id]), [
    { held_by: null },
  ])
})

test('only the owner and admins see it; others find nothing, and nobody has no token', async () => {
  const who = await leaver()
  chat = await comeBack()
  const other = await person(system.url)
  for (const path of [who.saga, `${who.saga}/events`]) {
    assertProblem(await other.client.get(path), 404, 'not_found')
    assertProblem(await anybody.get(path), 401, 'unauthenticated')
    assertProblem(await new Client(system.url, { token: `${who.token}x` }).get(path), 401, 'unauthenticated')
  }
  const boss = await person(system.url)
  await databases.user.query(`update users.account set role = 'admin' where id = $1`, [boss.id])
  const admin = new Client(system.url, { token: await logIn(system.url, boss) })
  assert.equal((await admin.get(who.saga)).status, 200)
})

test('six streams of one user; the seventh is told to come back later, as a 200', async () => {
  const who = await leaver()
  const streams = await Promise.all(Array.from({ length: 6 }, () => who.client.stream(`${who.saga}/events`)))
  for (const stream of streams) await stream.until('a frame', ({ events }) => events.length > 0)
  const seventh = await who.client.stream(`${who.saga}/events`)
  const events = await seventh.ended()
  assert.equal(seventh.status, 200)
  assert.match(seventh.headers['content-type']!, /^text\/event-stream/)
  assert.deepEqual(events, [{ event: 'busy', id: undefined, data: '{}' }])
  assert.ok(seventh.retry! >= 30_000)
  assert.equal(streams.filter(({ hasEnded }) => hasEnded).length, 0)
  streams[0]!.close()
  await until('a free place', () => hub.stats().open === 5)
  const next = await who.client.stream(`${who.saga}/events`)
  await next.until('a frame', ({ events: some }) => some[0]?.event === 'saga')
  for (const stream of [...streams, next]) stream.close()
  await until('no stream', () => hub.stats().open === 0)
})

test('a stream ends when its session is logged out, on whatever instance; those of another session stay', async () => {
  const who = await leaver()
  const path = `${who.saga}/events`
  const elsewhere = await system.join(['user'])
  const here = await who.client.stream(path)
  const there = await new Client(elsewhere.url, { token: who.token }).stream(path)
  const second = await new Client(system.url, { token: who.secondToken }).stream(path)
  for (const stream of [here, there, second]) await stream.until('a frame', ({ events }) => events.length > 0)
  assert.equal((await who.client.delete('/api/sessions')).status, 204)
  await Promise.all([here.ended(5_000), there.ended(5_000)])
  assert.equal(second.hasEnded, false)
  assert.equal((await new Client(system.url, { token: who.secondToken }).delete('/api/sessions/all')).status, 204)
  await second.ended(5_000)
  await elsewhere.stop()
})
