import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { startLiveServer } from '../../../test/support/live-server.ts'
import { until } from '../../../test/support/until.ts'

// What is published, used from a folder that has nothing else.

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
/** A Node that somebody has: scripts of npm run on the one in node_modules, npm itself does not. */
const oldNode = process.env.npm_node_execpath ?? process.execPath
let folder: string
let dist: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pando-live-'))
  dist = join(folder, 'node_modules/@pando/live')
  await mkdir(dist, { recursive: true })
  await run(process.execPath, [join(root, 'build.ts'), dist])
})
after(() => rm(folder, { recursive: true, force: true }))

const read = (file: string): Promise<string> => readFile(join(dist, file), 'utf8')

test('a connection by fetch is less than 4 KB, all of it less than 6', async () => {
  const sizeOf = async (...files: string[]): Promise<number> =>
    gzipSync((await Promise.all(files.map((file) => read(`${file}.js`)))).join('')).length
  const own = ['cursor', 'parser', 'fetch', 'gate', 'page', 'live']
  const [small, whole] = [await sizeOf(...own), await sizeOf(...own, 'index', 'event-source', 'connection', 'state')]
  assert.ok(small < 4096 && whole < 6144, `${small} and ${whole} bytes`)
})

test('its types need no other package, and say what the server’s schemas do', async () => {
  const events = join(root, '../events/src')
  await writeFile(
    join(folder, 'page.ts'),
    `import { createLive, applyToRooms, type RoomView } from '@pando/live'
     let rooms: readonly RoomView[] = []
     const live = createLive({ url: '/api/stream' })
     live.load(async ({ signal }) => { rooms = (await (await fetch('/api/rooms', { signal })).json()).items })
     live.on('message.created', ({ data }) => { const seq: number = data.seq })
     live.on('*', (event) => { rooms = applyToRooms(rooms, event, 'me') })
     // @ts-expect-error There is no such event.
     live.on('message.creatd', () => {})
     live.start()`,
  )
  await writeFile(
    join(folder, 'same.ts'),
    `import type { StreamEventData as Theirs } from '@pando/live'
     import type { StreamEventData as Ours } from '${events}/stream.ts'
     type Same<A, B> = (<T>() => T extends Deep<A> ? 1 : 2) extends <T>() => T extends Deep<B> ? 1 : 2 ? true : false
     type Deep<T> = T extends object ? { [K in keyof T]: Deep<T[K]> } : T
     const same: Same<Theirs, Ours> = true
     export const both = (a: Theirs, b: Ours): [Ours, Theirs, boolean] => [a, b, same]`,
  )
  const options = {
    strict: true,
    noEmit: true,
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2024', 'dom'],
    types: [],
    allowImportingTsExtensions: true,
  }
  const check = async (file: string, more = {}): Promise<void> => {
    const config = { compilerOptions: { ...options, ...more }, files: [file] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await run('tsc', ['-p', folder]).catch((error: { stdout: string }) => assert.fail(error.stdout))
  }
  await check('page.ts')
  await check('same.ts', { skipLibCheck: true })
})

test('the README’s example for Node runs with it, on the Node that npm has', async (t) => {
  const server = await startLiveServer(t, { retryMs: 0 })
  const readme = await read('README.md')
  const [, example] = /^## In Node\n\n```js\n(.*?)^```$/ms.exec(readme) ?? []
  await writeFile(join(folder, 'example.mjs'), example!)
  const env = { PATH: process.env.PATH, PANDO_URL: server.url, PANDO_TOKEN: 'a-token' }
  const child = spawn(oldNode, ['example.mjs'], { cwd: folder, env })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (out += text))
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)))
  t.after(() => child.kill('SIGKILL'))
  const printed = (text: string): Promise<unknown> =>
    until(text, () => out.includes(text) || (child.exitCode !== null && assert.fail(out)))
  await printed('open\n')
  server.append('message.created', { sender: { id: 'u', displayName: 'Nayun' }, text: '안녕 🌱' })
  await printed('Nayun: 안녕 🌱\n')
  server.cut()
  server.append('notification.read', { unread: 3 })
  await printed('3 unread\n')
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
  assert.equal(out, 'connecting\nopen\nNayun: 안녕 🌱\nconnecting\nopen\n3 unread\nstopped\n')
  assert.deepEqual(
    server.requests.map(({ id, token }) => [id, token]),
    [
      [undefined, 'a-token'],
      ['e0-1', 'a-token'],
    ],
  )
  t.diagnostic((await run(oldNode, ['--version'])).stdout.trim())
})
