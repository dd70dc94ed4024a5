// Sign-ups that do not come about: nobody answers, the answer is too late, somebody refuses. Nothing of them may stay.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Client } from '../support/client.ts'
import { logIn, newcomer, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { startSystem, type System } from '../support/system.ts'
import { until } from '../support/until.ts'

const DEADLINE_MS = 1_500

const eventsOf = async ({ databases }: System, userId: string): Promise<string[]> =>
  (await databases.log.query<{ type: string }>('select type from log.record where key = $1', [userId])).map(
    ({ type }) => type,
  )

test('a participant that never answers: failed at the deadline, undone, the name free; what it does later is undone too', async (t) => {
  const system = await startSystem(t, {
    services: ['user', 'customer'],
    env: { SIGN_UP_DEADLINE_MS: String(DEADLINE_MS) },
  })
  const anybody = new Client(system.url)
  const who = newcomer()
  const from = performance.now()
  const stream = await anybody.stream('/api/users', { method: 'POST', body: who })
  await stream.until('the wallet', ({ events }) =>
    viewsOf(events).some(({ steps }) => steps.customer?.status === 'done'),
  )
  const { databases } = system
  const [account] = await databases.user.query<{ id: string }>('select id from users.account where username = $1', [
    who.username,
  ])
  const userId = account!.id
  assert.equal((await databases.customer.query('select from customer.wallet where user_id = $1', [userId])).length, 1)
  assert.deepEqual((await anybody.get(`/api/usernames/${who.username}`)).body, { available: false })
  assert.equal((await anybody.post('/api/sessions', who)).status, 401, 'nobody logs in before the end')

  const views = viewsOf(await stream.ended())
  assert.ok(performance.now() - from >= DEADLINE_MS)
  assert.deepEqual(
    views.map(({ version }) => version),
    views.map((_, i) => i + 1),
  )
  const end = views.at(-1)!
  assert.ok(
    views.some(({ status, reason, endedAt }) => status === 'compensating' && reason === 'deadline' && endedAt === null),
  )
  assert.deepEqual([end.status, end.reason], ['failed', 'deadline'])
  assert.deepEqual(end.steps, {
    user: { status: 'undone' },
    chat: { status: 'failed', reason: 'deadline' },
    customer: { status: 'undone' },
  })
  assert.ok(Date.parse(end.endedAt!) >= Date.parse(end.deadline))
  assert.equal((await databases.user.query('select from users.account where id = $1', [userId])).length, 0)
  assert.equal((await databases.customer.query('select from customer.wallet where user_id = $1', [userId])).length, 0)
  assert.deepEqual((await anybody.get(`/api/usernames/${who.username}`)).body, { available: true })

  // Only now the chat comes, and finds both the beginning and the end.
  await system.join(['chat'])
  await until('chat.member-removed', async () => (await eventsOf(system, userId)).includes('chat.member-removed'))
  assert.deepEqual(
    (await eventsOf(system, userId)).filter((type) => type.startsWith('chat.')),
    ['chat.member-added', 'chat.member-removed'],
  )
  assert.equal((await databases.chat.query('select from chat.member where user_id = $1', [userId])).length, 0)
  assert.deepEqual((await anybody.get(stream.headers.location!)).body, end, 'what is over stays as it was')

  const again = await anybody.post<SignedUp>('/api/users', who)
  assert.equal(again.status, 202)
  assert.equal((await sagaEnded(anybody, again.headers.location!)).status, 'completed')
  assert.ok(await logIn(system.url, who))
})

test('a participant that refuses: failed with its reason, undone; what another saga made stays', async (t) => {
  const system = await startSystem(t, { services: ['user', 'customer'] })
  const anybody = new Client(system.url)
  const { databases } = system
  await (await system.join(['chat'])).stop()
  const who = newcomer()
  const { body, headers } = await anybody.post<SignedUp>('/api/users', who)
  const other = randomUUID()
  await databases.chat.query(
    `insert into chat.member (user_id, made_by, username, display_name) values ($1, $2, 'older', 'Older')`,
    [body.userId, other],
  )
  await until(
    'the wallet',
    async () =>
      (await databases.customer.query('select from customer.wallet where user_id = $1', [body.userId])).length > 0,
  )

  await system.join(['chat'])
  const end = await sagaEnded(anybody, headers.location!)
  assert.deepEqual([end.status, end.reason], ['failed', 'user_exists'])
  assert.deepEqual(end.steps, {
    user: { status: 'undone' },
    chat: { status: 'failed', reason: 'user_exists' },
    customer: { status: 'undone' },
  })
  assert.ok(Date.parse(end.endedAt!) < Date.parse(end.deadline))
  assert.deepEqual(await databases.chat.query('select user_id, made_by, username from chat.member'), [
    { user_id: body.userId, made_by: other, username: 'older' },
  ])
  assert.equal((await databases.customer.query('select from customer.wallet')).length, 0)
  assert.equal((await databases.user.query('select from users.account')).length, 0)
  assert.equal((await anybody.post('/api/sessions', who)).status, 401)
  assert.deepEqual((await anybody.get(`/api/usernames/${who.username}`)).body, { available: true })
})
