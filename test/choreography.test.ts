// docs/choreography.md is what the declarations say; that they fit together is checked with it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

const root = join(import.meta.dirname, '..')
const choreography = (cwd: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'tools', 'choreography.ts'), ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr }
}
const OLD = 'choreography: docs/choreography.md is not current: run npm run choreography\n'

test('docs/choreography.md is current', () => {
  const { status, said } = choreography(root, '--check')
  assert.match(said, /^docs\/choreography\.md is current: \d+ services, \d+ events\n$/)
  assert.equal(status, 0)
})

test('a page that is missing or old is noticed, and written', (t) => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'pando-choreography-'))
  t.after(() => rmSync(elsewhere, { recursive: true }))
  mkdirSync(join(elsewhere, 'docs'))
  assert.deepEqual(choreography(elsewhere, '--check'), { status: 1, said: OLD })
  assert.equal(choreography(elsewhere).status, 0)
  assert.equal(choreography(elsewhere, '--check').status, 0)
  appendFileSync(join(elsewhere, 'docs', 'choreography.md'), 'By hand.\n')
  assert.deepEqual(choreography(elsewhere, '--check'), { status: 1, said: OLD })
})
