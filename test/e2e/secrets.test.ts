// No password, hash, token or e-mail address leaves the user service: not in events, frames, answers, errors, nor in what is logged.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { newcomer, person, sagaEnded, type SignedUp } from '../support/people.ts'
import { tablesWith } from '../support/scan.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after }, { env: { LOG_LEVEL: 'trace', SIGN_UP_DEADLINE_MS: '20000' } })
const anybody = new Client(system.url)

test('of everything that can happen to an account, no secret is in the log of events, another table, an answer, or the log', async () => {
  const secrets: string[] = []
  const heard: string[] = []
  const remember = <Who extends { email: string; password: string }>(who: Who): Who => {
    secrets.push(who.email, who.password)
    return who
  }
  const hear = ({ text }: { text: string }): void => void heard.push(text)

  const streamed = await anybody.stream('/api/users', {
    method: 'POST',
    body: remember(newcomer()),
    headers: { 'idempotency-key': 'a' },
  })
  await streamed.ended()
  hear(streamed)
  const plain = remember(newcomer())
  const first = await anybody.post<SignedUp>('/api/users', plain, { 'idempotency-key': 'b' })
  hear(first)
  await sagaEnded(anybody, first.headers.location!)
  hear(await anybody.get(first.headers.location!))
  hear(await anybody.post('/api/users', remember(newcomer({ email: plain.email }))))
  hear(await anybody.post('/api/users', remember(newcomer({ username: 'NO' }))))
  hear(
    await anybody.post('/api/users', JSON.stringify(remember(newcomer())).slice(0, -1), {
      'content-type': 'application/json',
    }),
  )
  hear(await anybody.post('/api/sessions', { username: plain.username, password: remember(newcomer()).password }))

  const user = remember(await person(system.url))
  secrets.push(user.token)
  const next = remember(newcomer()).password
  hear(
    await user.client
      .patch('/api/me', { displayName: 'Other', email: remember(newcomer()).email })
      .then((answer) => ({ text: answer.text.replace(user.email, '') })),
  )
  hear(await user.client.put('/api/me/password', { currentPassword: user.password, newPassword: next }))
  hear(await user.client.delete('/api/me', { password: user.password }))
  const deletion = await user.client.delete('/api/me', { password: next })
  hear(deletion)
  const events = await user.client.stream(`${deletion.headers.location}/events`)
  await events.ended()
  hear(events)

  assert.ok(secrets.length > 15 && heard.length > 10)
  secrets.push('$argon2')
  const said = heard.join('\n').toLowerCase()
  assert.deepEqual(
    secrets.filter((secret) => said.includes(secret.toLowerCase())),
    [],
    'in answers and frames',
  )
  const logged = system.logged.join('').toLowerCase()
  assert.ok(logged.includes('"level":20'), 'the log does tell something')
  assert.deepEqual(
    secrets.filter((secret) => logged.includes(secret.toLowerCase())),
    [],
    'in the log',
  )
  for (const name of ['log', 'chat', 'customer', 'market'] as const)
    assert.deepEqual(await tablesWith(system.databases[name], secrets), [], name)
  assert.deepEqual(await tablesWith(system.databases.user, secrets), ['users.account'])
  const bodies = await system.databases.log.query<{ body: string }>('select body from log.record')
  assert.ok(bodies.length > 10)
  assert.deepEqual(
    bodies.filter(({ body }) => /password|hash|email|token/i.test(body)),
    [],
    'not even the words',
  )
})

test('an error that nobody expected tells clients nothing but an id, and the log no secret', async () => {
  const who = newcomer()
  const { user: db } = system.databases
  // A row's check that fails quotes the whole row in the error's detail.
  await db.query(`alter table users.account add constraint trap check (display_name <> 'Trap')`)
  const answer = await anybody.post('/api/users', { ...who, displayName: 'Trap' })
  await db.query('alter table users.account drop constraint trap')
  const { requestId, detail } = assertProblem(answer, 500, 'internal')
  assert.equal(requestId, answer.headers['x-request-id'])
  assert.equal(detail, 'Something went wrong.')
  assert.doesNotMatch(answer.text, /trap|constraint|\.ts|insert|select|node_modules/i)
  const lines = system.logged.filter((line) => line.includes(String(requestId)))
  assert.ok(
    lines.some((line) => line.includes('violates check constraint')),
    'the log tells what it was',
  )
  assert.doesNotMatch(lines.join(''), new RegExp(`${who.email}|${who.password}|argon2`, 'i'))
})
