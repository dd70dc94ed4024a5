// The Java process of a broker: started, waited for and ended, also when it is what a killed starter left behind.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@pando/service'
import { commandLine, isAlive, readIfThere } from '../../test/support/process-table.ts'

const POLL_MS = 20
const PATIENCE_MS = 7_000
const READY = 'Kafka Server started'

export interface BrokerProcess {
  /** undefined when the program could not be run. */
  readonly pid: number | undefined
  /** Resolves with how it ended. */
  readonly ended: Promise<string>
  howItEnded(): string | undefined
}

const pidFileIn = (folder: string): string => join(folder, 'broker.pid')
const markOf = (folder: string): string => `-Dpando.kafka=${folder}`

/** Where the broker of `folder` says what it does, since its last start. */
export const logOf = (folder: string): string => join(folder, 'broker.log')

/**
 * Starts Java in `folder`. It has a session of its own, so that Ctrl-C reaches only this process, and writes to a file, so that it never
 * waits for a reader that is dead. It ends with this process, unless that is killed.
 */
export function launch(folder: string, program: string, options: readonly string[]): BrokerProcess {
  const output = openSync(logOf(folder), 'w')
  const child = spawn(program, [markOf(folder), ...options], {
    cwd: folder,
    detached: true,
    env: javaEnvironment(),
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  if (child.pid !== undefined) writeFileSync(pidFileIn(folder), String(child.pid))
  const killNow = (): void => void child.kill('SIGKILL')
  process.on('exit', killNow)

  let ending: string | undefined
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const end = (how: string): void => {
    process.off('exit', killNow)
    rmSync(pidFileIn(folder), { force: true })
    resolve((ending = how))
  }
  child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  // A program that cannot be run has no exit.
  child.once('error', (err) => end(err.message))
  return { pid: child.pid, ended, howItEnded: () => ending }
}

/** In the C locale Java cannot open a path with letters beyond ASCII. */
export function javaEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C.UTF-8' }
}

/** True once the broker takes requests, however long it recovers; false when it has ended. Rejects when `signal` is aborted. */
export async function isReady(broker: BrokerProcess, folder: string, signal?: AbortSignal): Promise<boolean> {
  while (broker.howItEnded() === undefined) {
    if (readFileSync(logOf(folder), 'utf8').includes(READY)) return true
    await delay(POLL_MS, undefined, { signal })
  }
  return false
}

/** Lets it end as it should, which takes a fraction of a second, or kills it when that takes too long. */
export async function endBroker(broker: BrokerProcess): Promise<void> {
  if (broker.pid !== undefined) await end(broker.pid, () => broker.howItEnded() !== undefined)
}

/** Ends the broker of `folder` whose starter was killed. Only who holds the lock on that folder may call this. */
export async function endOrphan(folder: string, log: Logger): Promise<void> {
  const pid = Number(readIfThere(pidFileIn(folder)))
  if (!(pid > 0) || !isBrokerOf(folder, pid)) return
  log.info(`ending the Kafka (process ${pid}) that a killed process left behind`)
  await end(pid, () => !isBrokerOf(folder, pid))
}

/** The number in the file may by now be a stranger's: the command line must name the folder. */
function isBrokerOf(folder: string, pid: number): boolean {
  if (!isAlive(pid)) return false
  const command =
    commandLine(pid)?.join(' ') ?? spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout
  return command.includes(`${markOf(folder)} `)
}

async function end(pid: number, isGone: () => boolean): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (isGone()) return
    try {
      process.kill(pid, signal)
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err
    }
    for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline && !isGone();) await delay(POLL_MS)
  }
}
