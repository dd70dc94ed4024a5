import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const scratch = mkdtempSync(join(tmpdir(), 'pando-test-'))
after(() => rmSync(scratch, { recursive: true }))

/** What `npm run kafka` says on stderr when it cannot start. */
function refusal(env: Record<string, string>, ...options: string[]): Promise<string> {
  const program = join(import.meta.dirname, '..', '..', 'tools', 'kafka.ts')
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...options], { env: { DATA_DIR: scratch, ...env } }, (err, stdout, stderr) => {
      if (err?.code === 1 && stdout === '') resolve(stderr)
      else reject(new Error(`exit code ${err?.code ?? 0}; it said: ${stdout}${stderr}`))
    })
  })
}

test('no Java, and one that is too old, are said in a sentence', async () => {
  assert.equal(
    await refusal({ PATH: '' }),
    'Kafka cannot start: Kafka needs Java 17 or newer, and "java" cannot be run: install a JRE (on Debian: default-jre-headless).\n',
  )
  const old = join(scratch, 'java')
  writeFileSync(old, `#!/bin/sh\necho 'openjdk version "11.0.25" 2024-10-15' >&2\n`)
  chmodSync(old, 0o755)
  assert.equal(
    await refusal({ PATH: scratch }),
    'Kafka cannot start: Kafka needs Java 17 or newer, and "java" is older: install a newer JRE, or set JAVA_HOME to one.\n',
  )
})

test('an option that does not exist, and a port that is none, are said in a sentence', async () => {
  assert.match(await refusal({}, '--prot', '1'), /^Kafka cannot start: .*'--prot'.*: say npm run kafka -- .*\n$/)
  assert.equal(
    await refusal({}, '--port', '65536'),
    'Kafka cannot start: --port 65536 is no number from 0 to 65535 (0 = a free port): say npm run kafka -- [--port <number>] [--fresh].\n',
  )
})
