// A Pando as its operator starts it: a process, its signals, its end. Only what was started here is ever signalled.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { postmasterOf } from './embedded.ts'
import type { Scope } from './postgres.ts'
import { childrenOf, isAlive, isInGroup, readIfThere } from './process-table.ts'
import { until } from './until.ts'

const TAIL = 200_000
const READY = /^Pando is ready at (http:\/\/\S+)/m

export interface PandoOptions {
  dataDir: string
  /** Beside a free PORT, no metrics and no rate limit. */
  env?: Readonly<Record<string, string>>
  /** `npm start`, as the contract says it; or a program itself, which is there sooner. Default: that of `npm start`. */
  as?: 'npm' | readonly [program: string, ...args: string[]]
}

export interface Pando {
  readonly dataDir: string
  /** Of npm or of the program: the leader of the process group. */
  readonly pid: number
  /** What it said last, at most 200,000 characters each. */
  readonly stdout: string
  readonly stderr: string
  /** The address in its ready line. Rejects with what it said when it ends before that, or after `ms`. */
  ready(ms?: number): Promise<string>
  /** How it ended, once its output is read to the end. Rejects with what it said when it still runs after `ms`. */
  ended(ms?: number): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  signal(signal: NodeJS.Signals, to?: 'leader' | 'group'): void
  /** SIGKILL to the group (PostgreSQL is not in it, and stays) or to everything; resolves when that is gone. */
  kill(what: 'group' | 'all'): Promise<void>
}

/** Password hashes at a fraction of their cost. */
export const CHEAP = { PASSWORD_HASH_MEMORY_KIB: '1024', PASSWORD_HASH_PASSES: '1' } as const

const root = join(import.meta.dirname, '..', '..')
const launched = new Set<() => unknown>()
const folders = new Set<string>()

// Tests that are interrupted, or run out of time, leave nothing behind either.
process.on('exit', () => {
  for (const killNow of launched) killNow()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** A new folder that PostgreSQL can enter also when it has to run as another user. Removed when this process ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'pando-e2e-'))
  chmodSync(folder, 0o755)
  folders.add(folder)
  return folder
}

/** When this process ends before its hooks could run, the PostgreSQL that it started there ends with it. */
export function killPostgresAtExit(dataDir: string): void {
  launched.add(() => {
    for (const pid of serversOf(dataDir)) send(pid, 'SIGKILL')
  })
}

/** Starts a Pando in a process group of its own. What is left of it and of its PostgreSQL is killed after the test. */
export function launch(scope: Scope, { dataDir, env = {}, as = ['start.ts'] }: PandoOptions): Pando {
  const [command, arguments_] = as === 'npm' ? ['npm', ['--silent', 'start']] : [process.execPath, as]
  const child = spawn(command, arguments_, {
    cwd: root,
    detached: true,
    env: { ...inherited(), PORT: '0', METRICS_PORT: 'off', RATE_LIMIT: 'off', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  closed.catch(() => {})
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started`)
  const said = { stdout: '', stderr: '' }
  for (const from of ['stdout', 'stderr'] as const)
    child[from].setEncoding('utf8').on('data', (chunk) => (said[from] = (said[from] + chunk).slice(-TAIL)))
  const words = (): string => `it said: ${`${said.stdout}${said.stderr}`.trim().slice(-2_000)}`

  /** The program under npm, from when it holds its DATA_DIR; known from then on, whoever holds that later. */
  let program: number | undefined
  function programPid(): number | undefined {
    const holder = Number(readIfThere(join(dataDir, 'pando.pid')))
    if (holder > 0 && isInGroup(holder, pid!)) program = holder
    return program !== undefined && isInGroup(program, pid!) ? program : undefined
  }

  function signal(name: NodeJS.Signals, to: 'leader' | 'group' = 'leader'): void {
    const orphan = isRunning(child) ? undefined : programPid()
    if (isRunning(child)) send(to === 'group' ? -pid! : pid!, name)
    else if (orphan !== undefined) send(orphan, name)
  }

  /** Signals what there is and returns the numbers. */
  function killNow(what: 'group' | 'all' = 'all'): number[] {
    const running = programPid() ?? []
    const servers = what === 'all' ? serversOf(dataDir) : []
    signal('SIGKILL', 'group')
    for (const one of servers) send(one, 'SIGKILL')
    return servers.concat(running)
  }

  async function kill(what: 'group' | 'all'): Promise<void> {
    const pids = killNow(what)
    await until('an end by SIGKILL', () => !isRunning(child) && !pids.some(isAlive))
  }

  launched.add(killNow)
  scope.after(async () => {
    await kill('all')
    launched.delete(killNow)
  })
  return {
    dataDir,
    pid,
    get stdout() {
      return said.stdout
    },
    get stderr() {
      return said.stderr
    },
    async ready(ms = 60_000) {
      const url = (): string | undefined => READY.exec(said.stdout)?.[1]
      await until('a ready line', () => url() !== undefined || !isRunning(child), ms).catch((thrown: Error) => {
        throw new Error(`${thrown.message}; ${words()}`)
      })
      const ready = url()
      if (ready === undefined) throw new Error(`it ended before it was ready; ${words()}`)
      programPid()
      return ready
    },
    async ended(ms = 30_000) {
      const waiting = new AbortController()
      const end = await Promise.race([closed, delay(ms, undefined, waiting)])
      waiting.abort()
      if (!end) throw new Error(`it still runs after ${ms} ms; ${words()}`)
      return { code: end[0], signal: end[1] }
    },
    signal,
    kill,
  }
}

function serversOf(dataDir: string): number[] {
  const server = postmasterOf(dataDir)
  return server === undefined ? [] : [server, ...childrenOf(server)]
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** The environment of what a test starts: nothing of the run's own, like DATA_DIR or TEST_…, but where compiled code is kept. */
export function inherited(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'USER', 'TMPDIR', 'LANG', 'LC_ALL', 'NODE_COMPILE_CACHE']
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}
