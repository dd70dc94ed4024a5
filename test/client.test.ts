// The types of the web app's client are those of the OpenAPI document.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

const root = join(import.meta.dirname, '..')
const FILE = join('web', 'src', 'contract.generated.ts')
const client = (cwd: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'tools', 'client.ts'), ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr }
}
const OLD = `client: ${FILE} is not current: run npm run client\n`

test('the client of the web app is current', () => {
  const { status, said } = client(root, '--check')
  assert.match(said, /^web\/src\/contract\.generated\.ts is current: \d+ addresses\n$/)
  assert.equal(status, 0)
})

test('a client that is missing or old is noticed, and written', (t) => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'pando-client-'))
  t.after(() => rmSync(elsewhere, { recursive: true }))
  mkdirSync(join(elsewhere, 'web', 'src'), { recursive: true })
  assert.deepEqual(client(elsewhere, '--check'), { status: 1, said: OLD })
  assert.equal(client(elsewhere).status, 0)
  assert.equal(client(elsewhere, '--check').status, 0)
  appendFileSync(join(elsewhere, FILE), '// By hand.\n')
  assert.deepEqual(client(elsewhere, '--check'), { status: 1, said: OLD })
})
