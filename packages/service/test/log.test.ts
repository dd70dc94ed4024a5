import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

function stderrOf(level: string, statements: string): Record<string, unknown>[] {
  const script = `import { createLog } from ${JSON.stringify(import.meta.resolve('../src/log.ts'))}
    const log = createLog({ level: '${level}', name: 'test' })
    ${statements}
    process.exit()`
  const { stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(stdout, '')
  return stderr
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

test('lines go to stderr, from the level on, the last one before an exit included', () => {
  const lines = stderrOf('warn', `log.info('one'); log.warn('two'); log.error('three')`)
  assert.deepEqual(
    lines.map(({ msg, name }) => [name, msg]),
    [
      ['test', 'two'],
      ['test', 'three'],
    ],
  )
})

test('credentials and e-mail addresses are hidden, down to three levels', () => {
  const lines = stderrOf(
    'info',
    `const secrets = Object.fromEntries(['authorization', 'cookie', 'set-cookie', 'password', 'currentPassword', 'newPassword', 'email', 'refreshToken']
       .map((name) => [name, 'hush']))
     log.info({ ...secrets, kept: 1 })
     log.info({ body: { ...secrets, kept: 2 } })
     log.info({ req: { headers: { ...secrets, kept: 3 } } })
     log.error({ err: Object.assign(new Error('duplicate key'), { detail: 'Key (email)=(hush) already exists.', client: { queue: [{ values: ['hush'] }] }, constraint: 'kept 4' }) })`,
  )
  assert.equal(lines.length, 4)
  for (const [at, line] of lines.entries()) {
    assert.doesNotMatch(JSON.stringify(line), /hush/)
    assert.match(JSON.stringify(line), new RegExp(`"kept":${at + 1}|kept ${at + 1}`))
  }
})
