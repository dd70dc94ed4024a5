import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { openDatabase } from '../src/database.ts'
import { startEmbeddedPostgres } from '../src/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../src/embedded-postgres.ts'

const silent = pino({ level: 'silent' })
const home = mkdtempSync(join(realpathSync(tmpdir()), 'pando-'))
chmodSync(home, 0o755)
let postgres: EmbeddedPostgres

before(async () => {
  postgres = await startEmbeddedPostgres({ dataDir: join(home, 'data') })
})
after(async () => {
  await postgres.stop()
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
})

const open = (name: string, options: Partial<Parameters<typeof openDatabase>[0]> = {}) =>
  openDatabase({ clusterUrl: postgres.url, name, max: 2, applicationName: 'test', log: silent, ...options })

test('makes a missing database, whatever its name, and opens one that is there', async () => {
  const name = 'odd "name"; it\'s one'
  for (const _ of ['missing', 'there']) {
    const db = await open(name)
    assert.deepEqual(
      await db.query(`select current_database() as name, pg_encoding_to_char(encoding) as encoding, current_setting('application_name') as application
                        from pg_database where datname = current_database()`),
      [{ name, encoding: 'UTF8', application: 'test' }],
    )
    await db.close()
  }
})

test('many at once make it once', async () => {
  const all = await Promise.all(Array.from({ length: 5 }, () => open('raced')))
  for (const db of all) {
    assert.equal((await db.query('select')).length, 1)
    await db.close()
  }
})

test('a role that may not create it: a sentence without the password', async () => {
  const admin = await open('admin')
  await admin.query(`create role poor login password 'hush-hush'`)
  await admin.close()
  const url = new URL(postgres.url)
  url.username = 'poor'
  url.password = 'hush-hush'
  await assert.rejects(open('forbidden', { clusterUrl: url.href }), {
    code: 'PANDO_DATABASE',
    message: `PostgreSQL at 127.0.0.1:${url.port} does not let user poor create database forbidden: run "alter role … createdb" there or create that database.`,
  })
  url.password = 'wrong-hush'
  await assert.rejects(open('forbidden', { clusterUrl: url.href }), (err: Error) => {
    assert.match(
      err.message,
      /refuses the connection \(password authentication failed for user "poor"\): correct DATABASE_URL\.$/,
    )
    assert.doesNotMatch(err.message, /hush/)
    return true
  })
})

test('a server that comes later is waited for, with one line in the log', async () => {
  const serverPort = Number(new URL(postgres.url).port)
  const late = createServer((socket) => void socket.pipe(connect(serverPort, '127.0.0.1')).pipe(socket))
  late.listen(0, '127.0.0.1')
  await once(late, 'listening')
  const { port } = late.address() as AddressInfo
  late.close()
  await once(late, 'close')

  const lines: string[] = []
  const log = pino({}, { write: (line: string) => (lines.push(line), void late.listen(port, '127.0.0.1')) })
  const db = await open('late', { clusterUrl: postgres.url.replace(`:${serverPort}/`, `:${port}/`), log })
  assert.equal((await db.query('select')).length, 1)
  await db.close()
  late.close()
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, new RegExp(`PostgreSQL at 127.0.0.1:${port} does not answer .*waiting up to 30 s`))
})

test('a server that stays away: a sentence; a wait that is cut short: the reason of the signal', async () => {
  const clusterUrl = 'postgres://kim:hush-hush@127.0.0.1:1/x'
  await assert.rejects(open('away', { clusterUrl, patienceMs: 0 }), {
    code: 'PANDO_DATABASE',
    message:
      'PostgreSQL at 127.0.0.1:1 does not answer (connect ECONNREFUSED 127.0.0.1:1): start it or correct DATABASE_URL.',
  })
  await assert.rejects(open('away', { clusterUrl, signal: AbortSignal.timeout(20) }), {
    name: /AbortError|TimeoutError/,
  })
})
