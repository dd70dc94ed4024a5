// Leaving: an account is removed everywhere or stays as it was everywhere.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { transaction } from '@pando/saga'
import type { SagaView } from '@pando/saga'
import { post, walletAccount } from '../../services/customer/src/ledger.ts'
import { assertProblem, Client } from '../support/client.ts'
import { logIn, person, type Person, sagaEnded, viewsOf } from '../support/people.ts'
import { tablesWith } from '../support/scan.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
const { databases } = system

/** Everything that the services keep of a user, but for the log of events and the history of sagas. */
async function keptOf({ id }: Person): Promise<unknown[]> {
  const [account, member, wallet, sessions] = await Promise.all([
    databases.user.query('select * from users.account where id = $1', [id]),
    databases.chat.query('select * from chat.member where user_id = $1', [id]),
    databases.customer.query('select * from customer.wallet where user_id = $1', [id]),
    databases.user.query(
      'select s.*, t.* from users.session s join users.refresh_token t on t.session_id = s.id where user_id = $1 order by t.hash',
      [id],
    ),
  ])
  return [account, member, wallet, sessions]
}
const pay = (who: Person, amount: number): Promise<void> =>
  transaction(databases.customer, (tx) =>
    post(tx, 'test', [
      { account: walletAccount(who.id), amount },
      { account: 'house:cash', amount: -amount },
    ]),
  )

test('an account goes completely, and nobody else is touched', async () => {
  const [leaver, other] = await Promise.all([person(system.url), person(system.url)])
  const othersBefore = await keptOf(other)
  await leaver.client.patch('/api/me', { statusMessage: `I am ${leaver.displayName}` })
  await logIn(system.url, leaver)
  await pay(leaver, 500)
  await pay(leaver, -500)

  const { status, headers, body } = await leaver.client.delete<SagaView>('/api/me', { password: leaver.password })
  assert.equal(status, 202)
  assert.equal(headers.location, `/api/sagas/account-deletion/${body.id}`)
  const { id, type, version, steps } = body
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  assert.deepEqual([type, body.status, version, body.endedAt], ['account-deletion', 'running', 1, null])
  assert.deepEqual(steps, {
    user: { status: 'done' },
    chat: { status: 'pending' },
    customer: { status: 'pending' },
    market: { status: 'pending' },
  })

  const views = viewsOf(await (await leaver.client.stream(`${headers.location}/events`)).ended())
  assert.deepEqual(
    views.map((view) => view.version),
    views.map((_, i) => i + 1),
  )
  assert.equal(views.at(-1)?.status, 'completed')
  assert.deepEqual(
    Object.values(views.at(-1)!.steps).map((step) => step.status),
    ['done', 'done', 'done', 'done'],
  )

  const traces = [leaver.id, leaver.username, leaver.email, leaver.displayName]
  for (const name of ['chat', 'customer'] as const)
    await until(`nothing of the user in ${name}`, async () => (await tablesWith(databases[name], traces)).length === 0)
  // The market remembers for a day that tokens of this id are good no more.
  await until(
    'only that of the user in the market',
    async () => (await tablesWith(databases.market, traces)).join() === 'market.departed',
  )
  // What may stay: that this id was deleted, for whoever watches, and the events themselves, which the log drops after 7 days.
  await until('an empty outbox', async () => (await databases.user.query('select from saga.outbox')).length === 0)
  assert.deepEqual(await tablesWith(databases.user, traces), ['saga.saga', 'saga.saga_event'])
  assert.deepEqual(await tablesWith(databases.user, [leaver.email, leaver.username, leaver.displayName]), [])
  assert.deepEqual(await tablesWith(databases.log, traces), ['log.record'])
  assert.deepEqual(await keptOf(leaver), [[], [], [], []])
  assert.deepEqual(await keptOf(other), othersBefore)
  const [entries] = await databases.customer.query<{ sum: string }>('select sum(amount) as sum from customer.entry')
  assert.equal(Number(entries!.sum), 0)

  // Who has left is nobody, except for those who watch themselves go.
  const saga = await leaver.client.get(headers.location)
  assert.deepEqual([saga.status, saga.body.status], [200, 'completed'])
  assert.equal((await leaver.client.stream(`${headers.location}/events`)).status, 200)
  for (const [method, path] of [
    ['GET', '/api/me'],
    ['GET', '/api/me/wallet'],
    ['GET', '/api/sessions'],
    ['GET', `/api/users/${other.id}`],
    ['GET', '/api/users?query=a'],
    ['DELETE', '/api/sessions/all'],
    ['GET', '/api/admin/sagas'],
  ] as const)
    assertProblem(await leaver.client.request(method, path), 401, 'unauthenticated')
  assertProblem(await leaver.client.delete('/api/me', { password: leaver.password }), 401, 'unauthenticated')
  assertProblem(await anybody.post('/api/sessions', leaver), 401, 'invalid_credentials')
  assertProblem(await other.client.get(headers.location), 404, 'not_found')
  assertProblem(await other.client.get(`/api/users/${leaver.id}`), 404, 'not_found')
  assert.deepEqual((await other.client.get(`/api/users?query=${leaver.username}`)).body.items, [])

  const heir = await person(system.url, { username: leaver.username, email: leaver.email })
  assert.notEqual(heir.id, leaver.id)
})

test('a wallet with money refuses, and everything is as before; once it is empty the account goes', async () => {
  const rich = await person(system.url)
  await pay(rich, 1_000)
  const before = await keptOf(rich)
  const { headers } = await rich.client.delete('/api/me', { password: rich.password })
  const end = await sagaEnded(rich.client, headers.location!)
  assert.deepEqual([end.status, end.reason], ['failed', 'wallet_not_empty'])
  assert.deepEqual(end.steps.customer, { status: 'failed', reason: 'wallet_not_empty' })
  assert.equal(end.steps.user?.status, 'undone')
  assert.ok(['undone', 'skipped'].includes(end.steps.chat!.status))
  assert.deepEqual(await keptOf(rich), before)
  assert.equal((await rich.client.get('/api/me/wallet')).body.balance, 1_000)
  assert.ok(await logIn(system.url, rich))

  await pay(rich, -1_000)
  const second = await rich.client.delete('/api/me', { password: rich.password })
  assert.notEqual(second.headers.location, headers.location)
  assert.equal((await sagaEnded(rich.client, second.headers.location!)).status, 'completed')
  assert.deepEqual((await anybody.get(`/api/usernames/${rich.username}`)).body, { available: true })
})

test('a wrong password is forbidden, none at all not valid, and nothing happens', async () => {
  const who = await person(system.url)
  const before = await keptOf(who)
  assertProblem(await who.client.delete('/api/me', { password: 'not the password' }), 403, 'forbidden')
  for (const body of [{}, { password: 12 }, { password: '' }])
    assertProblem(await who.client.delete('/api/me', body), 400, 'validation_failed')
  assertProblem(await anybody.delete('/api/me', { password: who.password }), 401, 'unauthenticated')
  assert.deepEqual(await keptOf(who), before)
  assert.equal(
    (await databases.user.query(`select from saga.saga where type = 'account-deletion' and owner_id = $1`, [who.id]))
      .length,
    0,
  )
})
