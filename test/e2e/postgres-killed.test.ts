// Pando stays up while its PostgreSQL does not: clients are told to come back, and nothing is lost or half made.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createRandom } from '@pando/saga/testing'
import { Client } from '../support/client.ts'
import { openEmbedded, postmasterOf } from '../support/embedded.ts'
import { createLoad, type Load } from '../support/load.ts'
import { judge } from '../support/oracle.ts'
import { CHEAP, launch, scratch } from '../support/process.ts'
import { isAlive } from '../support/process-table.ts'
import { until } from '../support/until.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const LOOK = { timeout: 120_000 }

const answersOf = (load: Load, status: number): number =>
  Object.entries(load.counts).reduce((sum, [what, times]) => sum + (what.endsWith(` ${status}`) ? times : 0), 0)

test(
  `PostgreSQL is killed under load: 503 meanwhile, it comes back by itself, all sagas end; SEED=${seed}`,
  LOOK,
  async (t) => {
    const dataDir = join(scratch(), 'data')
    const load = createLoad(t, { random: createRandom(seed), clients: 8 })
    const pando = launch(t, { dataDir, env: CHEAP })
    const url = await pando.ready()
    const client = new Client(url)
    const clients = load.at(url)
    for (let i = 0; i < 3; i++) {
      const before = load.counts['sign-up 202'] ?? 0
      await until('accepted sign-ups', () => load.counts['sign-up 202']! >= before + 20)
      const killed = postmasterOf(dataDir)!
      const from = performance.now()
      process.kill(killed, 'SIGKILL')
      await until('a refusal', async () => {
        const { status, headers } = await client.get('/api/usernames/somebody')
        return status === 503 && Number(headers['retry-after']) > 0
      })
      assert.equal((await client.get('/api/health/live')).status, 200)
      await until('another PostgreSQL', () => !isAlive(killed) && postmasterOf(dataDir), 60_000)
      await until('readiness', async () => (await client.get('/api/health/ready')).status === 200, 60_000)
      console.log(`back after ${Math.round(performance.now() - from)} ms`)
    }
    const before = load.counts['sign-up 202']!
    await until('accepted sign-ups', () => load.counts['sign-up 202']! > before)
    await clients.stop()

    const verdict = await judge(dataDir, load.guests)
    console.log(JSON.stringify({ ...load.counts, ...verdict.counts }))
    assert.deepEqual([...verdict.faults, ...load.faults], [])
    assert.equal(load.counts['no answer'], undefined, 'Pando itself was there all the time')
    assert.ok(answersOf(load, 503) > 0)
    pando.signal('SIGTERM')
    assert.deepEqual(await pando.ended(), { code: 0, signal: null })
  },
)

test(`its connections are cut at random: nothing is lost; SEED=${seed}`, LOOK, async (t) => {
  const dataDir = join(scratch(), 'data')
  const load = createLoad(t, { random: createRandom(seed), clients: 8 })
  const url = await launch(t, { dataDir, env: CHEAP }).ready()
  const admin = openEmbedded(dataDir, 'postgres')
  t.after(() => admin.close())
  const clients = load.at(url)
  let cut = 0
  for (let i = 0; i < 40; i++) {
    const before = load.answers()
    await until('answers', () => load.answers() >= before + 5)
    const [row] = await admin.query<{ cut: number }>(
      `select count(pg_terminate_backend(pid))::int as cut from
         (select pid from pg_stat_activity where datname like 'pando%' order by random() limit $1) chosen`,
      [1 + (i % 3)],
    )
    cut += row!.cut
  }
  await clients.stop()
  const verdict = await judge(dataDir, load.guests)
  console.log(JSON.stringify({ cut, ...load.counts, ...verdict.counts }))
  assert.ok(cut >= 40)
  assert.deepEqual([...verdict.faults, ...load.faults], [])
  assert.equal(load.counts['no answer'], undefined, 'every request was answered')
})
