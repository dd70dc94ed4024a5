import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createDatabase } from '../src/index.ts'
import { clusterUrl, testName } from '../../../test/support/postgres.ts'

const folder = fileURLToPath(new URL('../examples/', import.meta.url))
const examples = globSync('*.ts', { cwd: folder }).map((file) => file.slice(0, -'.ts'.length))

test('there are examples', () => assert.notDeepEqual(examples, []))

for (const name of examples)
  test(`examples/${name}.ts says what it is expected to say`, async (t) => {
    const prefix = testName(name)
    t.after(() => dropAll(prefix))
    const env = { ...process.env, DATABASE_URL: clusterUrl(), DATABASE_PREFIX: prefix }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [`${name}.ts`], {
      cwd: folder,
      env,
      timeout: 120_000,
    })
    assert.equal(stderr, '')
    assert.equal(stdout, readFileSync(`${folder}${name}.expected.txt`, 'utf8'))
  })

async function dropAll(prefix: string): Promise<void> {
  const admin = createDatabase({ connectionString: clusterUrl(), max: 1 })
  const left = await admin.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [prefix],
  )
  for (const { name } of left) await admin.query(`drop database if exists ${name} with (force)`)
  await admin.close()
}
