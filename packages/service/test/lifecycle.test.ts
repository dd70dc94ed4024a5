import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

// A process of its own for each case: signals and exit codes are what is promised.
function start(script: string) {
  const imports = ['lifecycle', 'errors'].map(
    (file) => `import * as ${file} from ${JSON.stringify(import.meta.resolve(`../src/${file}.ts`))}\n`,
  )
  const child = spawn(process.execPath, ['--input-type=module', '-e', imports.join('') + script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { child, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (said.stdout += chunk))
  child.stderr.on('data', (chunk) => (said.stderr += chunk))
  return said
}

async function hears(said: { child: ChildProcess; stderr: string; stdout: string }, text: string): Promise<void> {
  while (!(said.stdout + said.stderr).includes(text)) await once(said.child.stdout!, 'data')
}

async function codeOf({ child }: { child: ChildProcess }): Promise<unknown> {
  const [code] = await once(child, 'close')
  return code
}

const READY = 'Pando test is ready at http://127.0.0.1:1\n'
const server = (stop: string) => `
  const alive = setInterval(() => {}, 1e6)
  await lifecycle.run('Pando test', async () => ({ url: 'http://127.0.0.1:1', async stop() { ${stop} } }))`

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal}: one ready line, stop once, exit code 0`, async () => {
    const said = start(server(`console.error('stopped')`))
    await hears(said, READY)
    said.child.kill(signal)
    assert.equal(await codeOf(said), 0)
    assert.equal(said.stdout, READY)
    assert.equal(said.stderr, 'stopped\n')
  })

test('a second signal while draining changes nothing', async () => {
  const said = start(
    server(
      `const go = new Promise((go) => process.once('SIGUSR2', go)); console.log('draining'); await go; console.log('drained')`,
    ),
  )
  await hears(said, READY)
  said.child.kill('SIGTERM')
  await hears(said, 'draining')
  said.child.kill('SIGTERM')
  said.child.kill('SIGINT')
  said.child.kill('SIGUSR2')
  assert.equal(await codeOf(said), 0)
  assert.equal(said.stdout, `${READY}draining\ndrained\n`)
})

test('a signal while starting: started, stopped, exit code 0, never ready', async () => {
  const said = start(`
    await lifecycle.run('Pando test', async (signal) => {
      console.log('starting')
      await new Promise((go) => { const alive = setInterval(() => {}, 1e6); signal.onabort = () => go(clearInterval(alive)) })
      return { url: 'http://127.0.0.1:1', async stop() { console.log('stopped') } }
    })`)
  await hears(said, 'starting')
  said.child.kill('SIGTERM')
  assert.equal(await codeOf(said), 0)
  assert.equal(said.stdout, 'starting\nstopped\n')
})

test('a start that the signal cuts short: exit code 0, nothing said', async () => {
  const said = start(`
    import { setTimeout } from 'node:timers/promises'
    await lifecycle.run('Pando test', async (signal) => { console.log('starting'); await setTimeout(60_000, 0, { signal }) })`)
  await hears(said, 'starting')
  said.child.kill('SIGINT')
  assert.equal(await codeOf(said), 0)
  assert.equal(said.stderr, '')
})

test('not drained in time: a warning and exit code 1', async () => {
  const said = start(`
    const { setTimeout } = globalThis
    globalThis.setTimeout = (call, ms) => setTimeout(call, ms / 100)
    ${server(`await new Promise(() => {})`)}`)
  await hears(said, READY)
  said.child.kill('SIGTERM')
  assert.equal(await codeOf(said), 1)
  assert.match(said.stderr, /did not drain within 9000 ms/)
})

test('a StartError is one line', async () => {
  const said = start(
    `await lifecycle.run('Pando test', async () => { throw new errors.StartError('PANDO_CONFIG', 'PORT is odd.') })`,
  )
  assert.equal(await codeOf(said), 1)
  assert.equal(said.stderr, 'Pando test cannot start: PORT is odd.\n')
  assert.equal(said.stdout, '')
})

test('a taken port is one line that names PORT', async () => {
  const said = start(`
    import { createServer } from 'node:net'
    const listen = (port) => new Promise((resolve, reject) => {
      const server = createServer().on('error', reject).listen(port, '127.0.0.1', () => resolve(server.address().port))
    })
    const port = await listen(0)
    await lifecycle.run('Pando test', () => listen(port))`)
  assert.equal(await codeOf(said), 1)
  assert.match(said.stderr, /^Pando test cannot start: PORT=\d+ is taken on 127\.0\.0\.1: .*\n$/)
})

test('any other error while starting is logged with its stack', async () => {
  const said = start(`await lifecycle.run('Pando test', async () => { throw new Error('a bug') })`)
  assert.equal(await codeOf(said), 1)
  const line = JSON.parse(said.stderr)
  assert.equal(line.err.message, 'a bug')
  assert.match(line.err.stack, /\n +at /)
})

test('a rejection that nobody handles: logged, exit code 1', async () => {
  const said = start(`setTimeout(() => Promise.reject(new Error('a bug')), 50)\n${server('')}`)
  assert.equal(await codeOf(said), 1)
  assert.equal(JSON.parse(said.stderr).err.message, 'a bug')
})

test('a stop that fails: logged, exit code 1', async () => {
  const said = start(server(`throw new Error('stuck')`))
  await hears(said, READY)
  said.child.kill('SIGTERM')
  assert.equal(await codeOf(said), 1)
  assert.equal(JSON.parse(said.stderr).err.message, 'stuck')
})
