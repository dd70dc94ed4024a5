// Everything is restarted, the first of each service and then the second, under load: nobody notices. SEED=… repeats the choices (not the timing).
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createRandom } from '@pando/saga/testing'
import { testCluster } from '../support/cluster.ts'
import { createLoad } from '../support/load.ts'
import { judge } from '../support/oracle.ts'
import { scratch } from '../support/process.ts'
import { until } from '../support/until.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test(`a rolling restart of everything under load: no request fails, SEED=${seed}`, { timeout: 600_000 }, async (t) => {
  const dataDir = join(scratch(), 'data')
  const cluster = await testCluster(t, { env: { DATA_DIR: dataDir } })
  const load = createLoad(t, { random: createRandom(seed), clients: 32 })
  const clients = load.at(cluster.url)
  await until('accounts', () => load.counts['log-in 201']! > 0)
  const pids = cluster.instances.map(({ pid }) => pid)
  const before = load.answers()
  const since = performance.now()
  await cluster.rolling()
  const tookMs = performance.now() - since
  console.log(`${load.answers() - before} answers in ${Math.round(tookMs)} ms`)
  assert.ok(load.answers() - before > tookMs / 100, 'not much of a load')
  for (const { pid } of cluster.instances) assert.equal(pids.includes(pid), false)
  await clients.stop()
  const verdict = await judge(dataDir, load.guests)
  console.log(JSON.stringify({ ...load.counts, ...verdict.counts }))
  assert.deepEqual([...verdict.faults, ...load.faults], [], cluster.lines.join('\n'))
  const failed = Object.entries(load.counts).filter(([what]) => what === 'no answer' || what.endsWith(' 503'))
  assert.deepEqual(failed, [], cluster.lines.join('\n'))
})
