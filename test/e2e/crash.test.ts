// The whole of Pando is killed again and again, at random moments under load, always on the same data. At the end nothing may be lost
// or half made. SEED=… repeats the choices (not the timing); KILLS=… goes on for longer.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '@pando/saga/testing'
import { Client } from '../support/client.ts'
import { createLoad, type Guest } from '../support/load.ts'
import { OPERATOR, redriveAt } from '../support/operator.ts'
import { judge } from '../support/oracle.ts'
import { type SagaView } from '@pando/saga'
import { viewsOf } from '../support/people.ts'
import { CHEAP, launch, scratch } from '../support/process.ts'
import { until } from '../support/until.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const kills = Number(process.env.KILLS ?? 22)
const LOOKED_AT = 150

test(`${kills} times SIGKILL under load, SEED=${seed}`, { timeout: 60_000 + kills * 20_000 }, async (t) => {
  const random = createRandom(seed)
  const dataDir = join(scratch(), 'data')
  const load = createLoad(t, { random: createRandom(seed + 1), clients: 12 })
  for (let i = 1; i <= kills; i++) {
    // The program alone, which leaves PostgreSQL behind, or everything at once.
    const what = random.pick(['group', 'group', 'all'] as const)
    // While it serves, so many answers later; or while it starts, recovers or migrates; or while it drains.
    const during = i === 1 ? 'load' : random.pick(['load', 'load', 'load', 'start', 'drain'] as const)
    const answers = during === 'start' ? 0 : random.below(100)
    const afterMs = random.below({ load: 50, start: 1_500, drain: 300 }[during])
    // With a short deadline some sign-ups fail, and are undone, because Pando was away.
    const deadlineMs = random.pick([300, 1_500, 30_000])
    const answered = load.answers()
    const pando = launch(t, { dataDir, env: { ...CHEAP, SIGN_UP_DEADLINE_MS: String(deadlineMs) } })
    const clients = pando.ready().then((url) => load.at(url))
    clients.catch(() => {})
    if (during !== 'start') await clients
    await until('answers', () => load.answers() >= answered + answers)
    if (during === 'drain') pando.signal('SIGTERM')
    await delay(afterMs)
    const stopped = clients.then((running) => running.stop()).catch(() => {})
    await pando.kill(what)
    await stopped
    console.log(
      `${i}: ${what} killed ${afterMs} ms into ${during} after ${load.answers() - answered} answers, deadline ${deadlineMs} ms`,
    )
  }

  const url = await launch(t, { dataDir, env: { ...CHEAP, ...OPERATOR } }).ready()
  const verdict = await judge(dataDir, load.guests, { redrive: redriveAt(() => url) })
  console.log(JSON.stringify({ ...load.counts, ...verdict.counts }))
  assert.deepEqual(verdict.faults, [])
  assert.deepEqual(load.faults, [])
  assert.ok(verdict.counts.completed! > 0 && verdict.counts.deleted! > 0)

  // A part of them once more as clients see them.
  const sample = random.shuffle(load.guests).slice(0, LOOKED_AT)
  for (const faults of await Promise.all(sample.map((guest) => lookAt(url, guest)))) assert.deepEqual(faults, [])
})

/** What is wrong with somebody, seen over HTTP: in with a wallet, or out with a name that is free again. */
async function lookAt(url: string, { who, sagaId, leaving }: Guest): Promise<string[]> {
  const client = new Client(url)
  const session = await client.post<{ accessToken: string }>('/api/sessions', {
    username: who.username,
    password: who.password,
  })
  const isIn = session.status === 201
  const faults: string[] = []
  const expect = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) faults.push(`${who.username}: ${what} is ${String(actual)}, not ${String(expected)}`)
  }
  expect('the name is free', (await client.get(`/api/usernames/${who.username}`)).body.available, !isIn)
  if (isIn) {
    const me = new Client(url, { token: session.body.accessToken })
    expect('the profile', (await me.get('/api/me')).body.username, who.username)
    expect('the balance', (await me.get('/api/me/wallet')).body.balance, 0)
  }
  const path = `/api/sagas/sign-up/${sagaId}`
  const { status, body: saga } = await client.get<SagaView>(path)
  // Nobody was told of it, or it went with the account.
  if (status === 404 && (sagaId === undefined || (leaving && !isIn))) return faults
  expect('being in', isIn, saga.status === 'completed')
  const frames = await (await client.stream(`${path}/events`)).ended()
  expect('the last version', viewsOf(frames).at(-1)?.version, saga.version)
  expect(
    'the versions',
    viewsOf(frames)
      .map(({ version }) => version)
      .join(),
    Array.from({ length: saga.version }, (_, i) => i + 1).join(),
  )
  const again = await client.stream(`${path}/events`, { headers: { 'last-event-id': frames.at(-1)!.id! } })
  expect('the answer after the last', again.status, 204)
  return faults
}
