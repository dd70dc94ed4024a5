// The disk under DATA_DIR is full for a while: clients are told to come back, nothing is half made, and with space again it all goes on.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createRandom } from '@pando/saga/testing'
import { Client } from '../support/client.ts'
import { openEmbedded } from '../support/embedded.ts'
import { createLoad } from '../support/load.ts'
import { judge } from '../support/oracle.ts'
import { CHEAP, launch, scratch } from '../support/process.ts'
import { until } from '../support/until.ts'

const SIZE_MB = 160
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test(`a full disk; SEED=${seed}`, { timeout: 180_000 }, async (t) => {
  const disk = mountDisk(t)
  if (disk === undefined) return t.skip('a disk of its own to fill: this user may not mount one')
  const dataDir = join(disk, 'data')
  const load = createLoad(t, { random: createRandom(seed), clients: 8 })
  const pando = launch(t, { dataDir, env: CHEAP })
  const url = await pando.ready()
  const clients = load.at(url)
  await until('accepted sign-ups', () => load.counts['sign-up 202']! >= 20)

  fill(join(disk, 'balloon'))
  await until('refused sign-ups', () => load.counts['sign-up 503']! >= 20)
  assert.equal((await new Client(url).get('/api/health/live')).status, 200)
  // A PostgreSQL that cannot write what it has changed gives up, and cannot start again before there is space.
  const admin = openEmbedded(dataDir, 'pando_user')
  t.after(() => admin.close())
  const isDown = (): boolean => pando.stderr.includes('PostgreSQL ended')
  await until(
    'the end of PostgreSQL',
    async () => isDown() || admin.query('select pg_switch_wal()').then(isDown, isDown),
  )
  await until('refused log-ins', () => load.counts['log-in 503']! >= 20)

  rmSync(join(disk, 'balloon'))
  await until('readiness', async () => (await new Client(url).get('/api/health/ready')).status === 200, 60_000)
  const accepted = load.counts['sign-up 202']!
  await until('accepted sign-ups', () => load.counts['sign-up 202']! >= accepted + 20, 60_000)
  await clients.stop()

  const verdict = await judge(dataDir, load.guests)
  console.log(JSON.stringify({ ...load.counts, ...verdict.counts }))
  assert.deepEqual([...verdict.faults, ...load.faults], [])
  assert.equal(load.counts['no answer'], undefined, 'Pando itself was there all the time')
  pando.signal('SIGTERM')
  assert.deepEqual(await pando.ended(), { code: 0, signal: null })
})

/** A small file system in memory; undefined when this user may not have one. Gone after the test. */
function mountDisk(t: TestContext): string | undefined {
  const disk = join(scratch(), 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m,mode=755`, 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  // Behind the hook that kills whoever still uses it: that one is registered later, and by a hook this one goes to the end.
  t.after(() => t.after(() => void execFileSync('umount', ['--lazy', disk])))
  return disk
}

function fill(file: string): void {
  const handle = openSync(file, 'w')
  try {
    for (const bytes of [1 << 20, 1 << 12]) {
      try {
        for (;;) writeSync(handle, Buffer.alloc(bytes, 1))
      } catch (thrown) {
        assert.equal((thrown as NodeJS.ErrnoException).code, 'ENOSPC')
      }
    }
  } finally {
    closeSync(handle)
  }
}
