// The operator's command line, as a process of its own, against a Pando that runs.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Parked, SagaWithOwner } from '@pando/service'
import { Client } from '../support/client.ts'
import { OPERATOR, operator } from '../support/operator.ts'
import { logIn, newcomer, person, sagaEnded, type SignedUp } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after }, { env: OPERATOR })
const token = await logIn(system.url, operator)
const admin = new Client(system.url, { token })
const { databases, transport } = system

interface Ended {
  code: number
  stdout: string
  stderr: string
}
const inEnvironment = (env: Record<string, string>, ...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const file = join(import.meta.dirname, '../../tools/pando.ts')
    const options = { env: { PATH: process.env.PATH, PANDO_URL: system.url, ...env } }
    execFile(process.execPath, [file, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
const pando = (...args: string[]): Promise<Ended> => inEnvironment({ PANDO_TOKEN: token }, ...args)

/** What it prints for machines. */
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await pando(...args, '--json')
  assert.deepEqual([code, stderr], [0, ''])
  return JSON.parse(stdout) as T
}
const parkedNow = async (): Promise<Parked[]> =>
  (await admin.get<{ items: Parked[] }>('/api/admin/parked?limit=100')).body.items
const isSentence = (text: string): void => assert.match(text, /^[^\n]+\n$/)

async function assertMisuse(
  args: string[],
  what: RegExp,
  env: Record<string, string> = { PANDO_TOKEN: token },
): Promise<void> {
  const { code, stdout, stderr } = await inEnvironment(env, ...args)
  assert.deepEqual([code, stdout], [2, ''], stderr)
  assert.match(stderr, what)
  isSentence(stderr)
}

test('help tells of every command, and each of its own options; it needs neither a Pando nor a name', async () => {
  const { code, stdout, stderr } = await inEnvironment({}, '--help')
  assert.deepEqual([code, stderr], [0, ''])
  const names = ['sagas', 'saga TYPE ID', 'parked', 'lag', 'redrive SERVICE KEY', 'discard SERVICE KEY']
  for (const usage of names) {
    assert.ok(stdout.includes(`\n  ${usage} `), usage)
    const own = await inEnvironment({}, usage.split(' ')[0]!, '--help')
    assert.equal(own.code, 0)
    assert.ok(own.stdout.startsWith(`Usage: npm run pando -- ${usage} [options]\n`), own.stdout)
  }
})

test('who calls it wrongly is told how, with exit code 2, and nothing is asked of Pando', async () => {
  await assertMisuse([], /A command is missing\./)
  await assertMisuse(['toString'], /There is no command "toString"\./)
  await assertMisuse(['parked', '--odd'], /Unknown option '--odd'\./)
  await assertMisuse(['lag', '--all'], /Unknown option '--all'\./)
  await assertMisuse(['lag', 'chat'], /Say lag\./)
  await assertMisuse(['redrive', 'chat'], /Say redrive SERVICE KEY\./)
  await assertMisuse(['discard', 'chat', 'key'], /--reason is missing/)
  await assertMisuse(['discard', 'chat', 'key', '--reason', ' '], /--reason is missing/)
  for (const limit of ['0', '-1', 'x', '1.5'])
    await assertMisuse(['parked', `--limit=${limit}`], /--limit must be a whole number/)
  await assertMisuse(['lag', '--url', 'ftp://here'], /"ftp:\/\/here" is no http address\./)
  await assertMisuse(['lag'], /Nobody is named/, {})
})

test('a refusal is one sentence, with exit code 1', async () => {
  const who = await person(system.url)
  const refused = async (sentence: RegExp, env: Record<string, string>, ...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await inEnvironment(env, ...args)
    assert.deepEqual([code, stdout], [1, ''], stderr)
    assert.match(stderr, sentence)
    isSentence(stderr)
  }
  await refused(/\[401\]/, { PANDO_TOKEN: 'nonsense' }, 'lag')
  await refused(/\[403\]/, { PANDO_TOKEN: who.token }, 'lag')
  await refused(/\[401\]/, { ADMIN_USERNAME: who.username, ADMIN_PASSWORD: 'not that one' }, 'lag')
  await refused(/\[403\]/, { ADMIN_USERNAME: who.username, ADMIN_PASSWORD: who.password }, 'lag')
  const mine = { PANDO_TOKEN: token }
  await refused(/\[404\]/, mine, 'saga', 'sign-up', randomUUID())
  await refused(/\[404\]/, mine, 'redrive', 'chat', 'nothing')
  await refused(/\[404\]/, mine, 'redrive', 'nobody', 'nothing')
  await refused(/\/status .*\[400\]/, mine, 'sagas', '--status', 'odd')
  await refused(/does not answer at http:\/\/127\.0\.0\.1:1\./, mine, 'lag', '--url', 'http://127.0.0.1:1')
  await refused(/is no Pando/, mine, 'lag', '--url', system.metricsUrl!)
})

test('with a name and a password it logs in for itself, and leaves no session behind', async () => {
  const sessions = async () => (await admin.get<{ items: unknown[] }>('/api/sessions')).body.items.length
  const before = await sessions()
  const { code, stdout } = await inEnvironment(OPERATOR, 'lag')
  assert.equal(code, 0)
  assert.match(stdout, /^SERVICE +UNSENT +OLDEST +BEHIND +IN\n/)
  assert.equal(await sessions(), before)
})

test('sagas: filters and pages; one with its history', async () => {
  const people = []
  for (let i = 0; i < 4; i++) people.push(await person(system.url))
  const [last] = people.slice(-1)
  const all = await json<SagaWithOwner[]>('sagas', '--all')
  const { body } = await admin.get<{ items: SagaWithOwner[] }>('/api/admin/sagas?limit=100')
  assert.deepEqual(all, body.items)
  assert.deepEqual(await json('sagas', '--type', 'nothing'), [])
  assert.equal((await json<unknown[]>('sagas', '--type=sign-up', '--status=completed', '--all')).length, all.length)
  assert.deepEqual(await json('sagas', '--status', 'failed'), [])

  const some = await pando('sagas', '--limit', '2', '--json')
  assert.deepEqual(JSON.parse(some.stdout), all.slice(0, 2))
  assert.match(some.stderr, /There are more: --limit N or --all\./)
  const shown = await pando('sagas')
  assert.match(
    shown.stdout,
    new RegExp(`sign-up +${last!.sagaId} +completed .*${last!.id} +user done, chat done, customer done`),
  )

  const { body: saga } = await admin.get(`/api/admin/sagas/sign-up/${last!.sagaId}`)
  assert.deepEqual(await json('saga', 'sign-up', last!.sagaId), saga)
  const one = (await pando('saga', 'sign-up', last!.sagaId)).stdout
  for (const part of [/^status +completed$/m, /^chat +done$/m, /user\.sign-up-started v1 .* 1 +user\/\d+\/\d+ +\{/])
    assert.match(one, part)
})

test('parked: whatever the key, it is seen, run again or given up', async () => {
  const keys = ['odd/key %41 몬스테라?', 'a\u001b[2Jb c', '-f', '#x&y=z+"\'\\']
  for (const key of keys)
    await transport.publish([{ id: randomUUID(), topic: 'user', key, type: 'user.deleted', body: '?' }])
  await until('all keys in four services', async () => (await parkedNow()).length === keys.length * 4)
  const parked = await json<Parked[]>('parked', '--all')
  assert.deepEqual(parked, await parkedNow())

  const { stdout } = await pando('parked')
  assert.match(
    stdout,
    /^chat +odd\/key %41 몬스테라\? .* user\.deleted +user\.deleted at user\/\d+\/\d+: the record is no JSON$/m,
  )
  assert.ok(
    stdout.includes('a\\u{1b}[2Jb c') && !stdout.includes('\u001b'),
    'what stands in a record cannot steer the terminal',
  )

  for (const key of keys) {
    const before = parked.find((one) => one.service === 'chat' && one.key === key)!
    const again = await pando('redrive', 'chat', '--', key)
    assert.deepEqual([again.code, again.stderr], [0, ''])
    assert.match(again.stdout, /^The events of key ".+" in chat run again/)
    await until('another try', async () => {
      const now = (await parkedNow()).find((one) => one.service === 'chat' && one.key === key)
      return now !== undefined && now.attempts > before.attempts
    })
    const gone = await pando('discard', 'chat', '--json', '--reason', 'made by a test', '--', key)
    assert.deepEqual(gone, { code: 0, stdout: '', stderr: '' })
    assert.equal((await pando('discard', 'chat', '--reason', 'again', '--', key)).code, 1)
  }
  const kept = await databases.chat.query<{ key: string }>(
    `select key from saga.discarded_event where reason = 'made by a test'`,
  )
  assert.deepEqual(new Set(kept.map(({ key }) => key)), new Set(keys))
  assert.deepEqual(
    new Set((await json<Parked[]>('parked')).map(({ service, key }) => `${service} ${key}`)),
    new Set(keys.flatMap((key) => ['customer', 'market', 'notification'].map((service) => `${service} ${key}`))),
  )
})

test('redrive after the cause is gone: the saga that waited completes', async () => {
  await databases.chat.query(`alter table chat.member add constraint trap check (display_name not like 'Trap%')`)
  const { body, headers } = await new Client(system.url).post<SignedUp>('/api/users', newcomer({ displayName: 'Trap' }))
  await until('the key', async () => (await parkedNow()).some(({ key }) => key === body.userId))
  await databases.chat.query('alter table chat.member drop constraint trap')
  assert.equal((await pando('redrive', 'chat', body.userId)).code, 0)
  assert.equal((await sagaEnded(new Client(system.url), headers.location!)).status, 'completed')
})

test('lag: events that wait to be sent, and events that wait to be handled', async () => {
  await until('nobody behind', async () =>
    (await json<{ partitions: { behind: number }[] }[]>('lag')).every(({ partitions }) =>
      partitions.every(({ behind }) => behind === 0),
    ),
  )
  await databases.user.query(
    `insert into saga.outbox (id, topic, key, type, body, appended_at) values ($1, 'nowhere', 'x', 'test.made', '{}', now() - interval '90 s')`,
    [randomUUID()],
  )
  await system.services.find(({ name }) => name === 'chat')!.worker.consumer.stop()
  const same = { topic: 'user', key: 'same', type: 'test.made', body: '{}' }
  await transport.publish([1, 2, 3].map(() => ({ ...same, id: randomUUID() })))
  const { stdout } = await pando('lag')
  assert.match(stdout, /^user +1 +1m 3\ds +/m)
  assert.match(stdout, /^chat +0 +- +3 +user\/\d+ 3$/m)
})
