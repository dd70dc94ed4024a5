import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { createDatabase } from '../src/index.ts'
test('a connection that ends in the moment of its hand-over does not end the process', async () => {
  const url = process.env.TEST_DATABASE_URL!
  const db = createDatabase({ connectionString: url, max: 1, applicationName: 'handover' })
  await db.query('select 1')
  const asked = db.query('select 1')
  const waiting = db.lease()
  await new Promise((resolve) => process.nextTick(resolve))
  // The answer and the end of the connection arrive together, while nobody reads.
  execFileSync(process.execPath, [
    '--input-type=module',
    '-e',
    `
    import pg from 'pg'
    const client = new pg.Client('${url}'); await client.connect()
    await client.query("select pg_sleep(0.2)")
    await client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'handover'")
    await client.query("select pg_sleep(0.2)")
    await client.end()`,
  ])
  await asked
  const leased = await waiting
  await assert.rejects(leased.query('select 1'))
  leased.release(true)
  await db.query('select 1')
  await db.close()
})
