import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../src/embedded-postgres.ts'
import { isServerOf, readPidFile } from '../src/postmaster-process.ts'

const home = mkdtempSync(join(realpathSync(tmpdir()), 'pando-'))
chmodSync(home, 0o755)
// One cluster for all: every test leaves it stopped or killed, and the next one has to cope.
const dataDir = join(home, 'data')
const directory = join(dataDir, 'postgres')
const started: EmbeddedPostgres[] = []
const children = new Set<ChildProcess>()

afterEach(async () => {
  await Promise.all(Array.from(started.splice(0), (postgres) => postgres.stop()))
  for (const child of children) await kill(child)
  for (const name of readdirSync(home)) killServer(join(home, name, 'postgres'))
})
after(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))

async function start(dir = dataDir): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir: dir })
  started.push(postgres)
  return postgres
}

/** A Pando in a process of its own, in a process group of its own, that a SIGINT does not end. */
function spawnPando(dir = dataDir): ChildProcess {
  const script = `import { startEmbeddedPostgres } from ${JSON.stringify(import.meta.resolve('../src/embedded-postgres.ts'))}
    process.on('SIGINT', () => console.log('SIGINT'))
    console.log((await startEmbeddedPostgres({ dataDir: process.argv[1] })).url)
    setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  children.add(child)
  return child
}

async function nextLine(child: ChildProcess): Promise<string> {
  const [chunk] = await once(child.stdout!, 'data')
  return String(chunk).trim()
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

const serverPid = () => readPidFile(directory)!.pid

function killServer(of = directory): void {
  const file = readPidFile(of)
  if (file && isServerOf(of, file.pid)) process.kill(file.pid, 'SIGKILL')
}

async function query(url: string, text: string): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

async function eventually<T>(attempt: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + 20_000; ; await delay(10)) {
    try {
      const result = await attempt()
      if (result) return result
    } catch (err) {
      if (Date.now() > deadline) throw err
    }
    assert.ok(Date.now() < deadline, 'it never came')
  }
}

test('a row outlives stop and start; the server is ours alone', async () => {
  const first = await start()
  await query(first.url, "create table plant (name text); insert into plant values ('몬스테라')")
  const [row] = await query(
    first.url,
    `select current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
            current_setting('listen_addresses') as host, current_setting('unix_socket_directories') as sockets,
            datlocprovider as provider, datlocale as locale from pg_database where datname = current_database()`,
  )
  assert.deepEqual(row, {
    encoding: 'UTF8',
    fsync: 'on',
    host: '127.0.0.1',
    sockets: '',
    provider: 'b',
    locale: 'C.UTF-8',
  })
  const wrong = new URL(first.url)
  wrong.password = 'guess'
  await assert.rejects(query(wrong.href, 'select'), { code: '28P01' })
  assert.equal(statSync(join(dataDir, 'postgres.password')).mode & 0o777, 0o600)
  const pid = serverPid()
  await first.stop()
  await first.stop()
  assert.equal(isServerOf(directory, pid), false)
  assert.equal(existsSync(join(directory, 'postmaster.pid')), false)

  const second = await start()
  assert.deepEqual(await query(second.url, 'select name from plant'), [{ name: '몬스테라' }])
  await second.stop()
})

test('a server that dies under a living Pando comes back at the same address', async () => {
  const postgres = await start()
  await query(postgres.url, 'create table survivor as select 1 as one')
  const pid = serverPid()
  killServer()
  assert.deepEqual(await eventually(() => query(postgres.url, 'select one from survivor')), [{ one: 1 }])
  assert.notEqual(serverPid(), pid)
  await postgres.stop()
  assert.equal(existsSync(join(directory, 'postmaster.pid')), false)
})

test('the server that a killed Pando left behind is replaced, with all that was committed', async () => {
  const child = spawnPando()
  const url = await nextLine(child)
  await query(url, 'create table orphan as select 1 as one')
  const pid = serverPid()
  await kill(child)
  assert.equal(isServerOf(directory, pid), true)

  const postgres = await start()
  assert.deepEqual(await query(postgres.url, 'select one from orphan'), [{ one: 1 }])
  assert.equal(isServerOf(directory, pid), false)
  await postgres.stop()
})

test('Pando and its server are killed: the next start recovers, even if a stranger has got the number of the server', async () => {
  const child = spawnPando()
  await query(await nextLine(child), 'create table recovered as select 1 as one')
  await kill(child)
  const pid = serverPid()
  killServer()
  await eventually(() => !isServerOf(directory, pid))
  // PostgreSQL only minds a stranger of its own user.
  const { uid, gid } = statSync(directory)
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {
    cwd: '/',
    uid,
    gid,
    stdio: 'ignore',
  })
  children.add(stranger)
  const file = join(directory, 'postmaster.pid')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(stranger.pid)))

  const postgres = await start()
  assert.deepEqual(await query(postgres.url, 'select one from recovered'), [{ one: 1 }])
  assert.equal(stranger.exitCode ?? stranger.signalCode, null)
  await postgres.stop()

  writeFileSync(file, '')
  await start()
})

test('a second Pando is refused while the first one lives, and only then', async () => {
  const child = spawnPando()
  const url = await nextLine(child)
  await assert.rejects(start(), {
    code: 'PANDO_DATA_DIR',
    message: `DATA_DIR=${dataDir} is in use by another Pando (process ${child.pid}): stop it, or set DATA_DIR to another folder.`,
  })
  await query(url, 'select')
  await kill(child)

  const postgres = await start()
  await assert.rejects(start(), { code: 'PANDO_DATA_DIR' })
  await query(postgres.url, 'select')
  await postgres.stop()
})

test('of two that start at once, one gets it', async () => {
  const dir = join(home, 'race')
  const children = [spawnPando(dir), spawnPando(dir)]
  const codes = await Promise.race(children.map(async (child) => (await once(child, 'exit'))[0]))
  assert.equal(codes, 1)
  const winner = children.find((child) => child.exitCode === null)!
  await query(await nextLine(winner), 'select')
})

test('Ctrl-C does not reach the server', async () => {
  const child = spawnPando()
  const url = await nextLine(child)
  const heard = nextLine(child)
  process.kill(-child.pid!, 'SIGINT')
  assert.equal(await heard, 'SIGINT')
  // A server that had heard it would end this statement.
  await query(url, 'select pg_sleep(0.2)')
})

test('a start that was interrupted while it made the cluster leaves nothing in the way', async () => {
  const dir = join(home, 'interrupted')
  const unfinished = () => readdirSync(dir).filter((name) => name.startsWith('postgres.new-'))
  const child = spawnPando(dir)
  const name = await eventually(() => unfinished().find((name) => existsSync(join(dir, name, 'PG_VERSION'))))
  await kill(child)
  assert.ok(unfinished().includes(name))
  assert.equal(existsSync(join(dir, 'postgres')), false)

  for (const _ of ['the killed initdb may still write', 'it is dead']) {
    const postgres = await start(dir)
    await query(postgres.url, 'select')
    await postgres.stop()
  }
  assert.deepEqual(unfinished(), [])
})

test('what cannot be used is said in one sentence', async () => {
  await assert.rejects(start(join(directory, 'PG_VERSION', 'data')), {
    code: 'PANDO_DATA_DIR',
    message: /^DATA_DIR=.* cannot be made \(ENOTDIR/,
  })

  const occupied = join(home, 'occupied')
  mkdirSync(join(occupied, 'postgres'), { recursive: true })
  writeFileSync(join(occupied, 'postgres', 'letter'), '')
  await assert.rejects(start(occupied), {
    code: 'PANDO_EMBEDDED_POSTGRES',
    message: /^A database cannot be made in .*occupied\/postgres: ENOTEMPTY/,
  })
  assert.deepEqual(readdirSync(join(occupied, 'postgres')), ['letter'])

  writeFileSync(join(dataDir, 'postgres.password'), 'wrong\n')
  await assert.rejects(start(), {
    code: 'PANDO_EMBEDDED_POSTGRES',
    message: /postgres\.password/,
  })
  assert.equal(existsSync(join(directory, 'postmaster.pid')), false)
  rmSync(join(dataDir, 'postgres.password'))
  await assert.rejects(start(), {
    code: 'PANDO_EMBEDDED_POSTGRES',
    message: /postgres\.password is missing/,
  })
})
