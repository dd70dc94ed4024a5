// `npm run cluster` as its operator sees it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Client } from '../support/client.ts'
import { postmasterOf } from '../support/embedded.ts'
import { newcomer, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { CHEAP, launch, type Pando, scratch } from '../support/process.ts'
import { childrenOf, commandLine, isAlive } from '../support/process-table.ts'
import { until } from '../support/until.ts'

const timeout = 180_000
const dataDir = join(scratch(), 'data')
const READY = /^Pando is ready at (http:\S+) \(gateways: (.+)\)\n$/

/** The processes of the services, by what they are. */
const processesOf = ({ pid }: Pando): Map<number, string> =>
  new Map(
    childrenOf(pid).flatMap((child) => {
      const [, program = '', service = ''] = commandLine(child) ?? []
      return program.endsWith('service.ts') ? [[child, service] as const] : []
    }),
  )

test('two of each: they work as one, one that dies comes back, SIGTERM ends all', { timeout }, async (t) => {
  const cluster = launch(t, { dataDir, env: CHEAP, as: ['tools/cluster.ts'] })
  const url = await cluster.ready(120_000)
  const [, first, gateways = ''] = READY.exec(cluster.stdout) ?? assert.fail(cluster.stdout)
  assert.equal(first, url)
  const [one = '', other = '', ...more] = gateways.split(', ')
  assert.deepEqual([one === other, more], [false, []])
  const processes = processesOf(cluster)
  assert.deepEqual(
    [...processes.values()].toSorted(),
    ['chat', 'customer', 'gateway', 'market', 'notification', 'user'].flatMap((service) => [service, service]),
  )

  const { headers } = await new Client(one).post<SignedUp>('/api/users', newcomer())
  const stream = await new Client(other).stream(`${headers.location}/events`)
  assert.equal(viewsOf(await stream.ended()).at(-1)?.status, 'completed')

  const victim = [...processes].find(([, service]) => service === 'user')![0]
  process.kill(victim, 'SIGKILL')
  await until('another one', () => processesOf(cluster).size === 12 && !processesOf(cluster).has(victim), 60_000)
  await until(
    'its ready line',
    () => cluster.stderr.match(/^user\.\d \| Pando user is ready at /gm)?.length === 3,
    60_000,
  )
  assert.match(cluster.stderr, /^user\.\d \| ended \(SIGKILL\), is started again in 250 ms$/m)
  const again = await new Client(url).post<SignedUp>('/api/users', newcomer())
  assert.equal((await sagaEnded(new Client(url), again.headers.location!)).status, 'completed')

  const last = [...processesOf(cluster).keys()]
  cluster.signal('SIGTERM')
  assert.deepEqual(await cluster.ended(), { code: 0, signal: null })
  assert.deepEqual(last.filter(isAlive), [])
  assert.equal(postmasterOf(dataDir), undefined, 'its PostgreSQL has ended too')
  assert.match(cluster.stdout, READY, 'nothing else on stdout')
})

test('SIGKILL of the tool alone: what it started ends by itself', { timeout }, async (t) => {
  const cluster = launch(t, { dataDir, env: CHEAP, as: ['tools/cluster.ts', '--instances', '1'] })
  await cluster.ready(120_000)
  const processes = [...processesOf(cluster).keys()]
  assert.equal(processes.length, 6)
  process.kill(cluster.pid, 'SIGKILL')
  await until('the end of all', () => !processes.some(isAlive), 30_000)
})

test('what keeps it from starting is said in one line, and nothing is left', { timeout }, async (t) => {
  // The first gateway's port is the one after PORT.
  const port = String(await takePortAfterFreeOne(t))
  for (const [args, env, sentence] of [
    [['--instances', '0'], {}, /^Pando cannot start: --instances 0 is not legal: say npm run cluster -- .*\n$/],
    [['--many'], {}, /^Pando cannot start: Unknown option '--many': say npm run cluster -- .*\n$/],
    [[], { METRICS_PORT: 'x' }, /^Pando cannot start: METRICS_PORT="x" is not legal: .*\n$/],
    [
      ['--instances', '1'],
      { PORT: port },
      /^gateway\.1 \| .*is taken.*\n(.*\n)*Pando cannot start: gateway\.1 ended \(exit code 1\) before it was ready; its lines say why\.$/m,
    ],
  ] as const) {
    const cluster = launch(t, { dataDir, env: { ...CHEAP, ...env }, as: ['tools/cluster.ts', ...args] })
    assert.equal((await cluster.ended(60_000)).code, 1)
    assert.match(cluster.stderr, sentence)
    assert.equal(cluster.stdout, '')
    assert.equal(postmasterOf(dataDir), undefined)
  }
})

/** Takes a port until the test ends; resolves with the one before it, which nobody has. */
async function takePortAfterFreeOne(t: TestContext): Promise<number> {
  for (;;) {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const before = (taken.address() as AddressInfo).port - 1
    const free = createServer().listen(before, '127.0.0.1')
    const isFree = await once(free, 'listening').then(
      () => true,
      () => false,
    )
    free.close()
    if (isFree) return before
  }
}
