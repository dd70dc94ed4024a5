// The server process of a cluster as its postmaster.pid and the operating system know it.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from './log.ts'

const POLL_MS = 10
// Fast shutdown (roll back, checkpoint); immediate shutdown (the next start recovers); what cannot be ignored.
const ENDINGS = [
  { signal: 'SIGINT', patienceMs: 8000 },
  { signal: 'SIGQUIT', patienceMs: 6000 },
  { signal: 'SIGKILL', patienceMs: 2000 },
] as const

export interface PidFile {
  readonly pid: number
  readonly port: number
  /** `ready` when it takes connections. */
  readonly status: string
}

const pathIn = (directory: string) => join(directory, 'postmaster.pid')

/** What the server of `directory` says of itself, be it alive or not; undefined when it ended properly. */
export function readPidFile(directory: string): PidFile | undefined {
  const lines = linesOf(directory)
  if (!lines?.[0]) return undefined
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() || 'starting' }
}

/**
 * Makes the file of a server that is no more harmless. PostgreSQL takes a living process of its own user for a rival, though
 * it be a zombie or, after a container's restart, a stranger with that number; but never its parent, so our number goes in.
 * Removing the file would also remove what keeps it from starting while children of the dead server still write (the
 * number of its shared memory).
 */
export function disownPidFile(directory: string): void {
  const [pid, ...rest] = linesOf(directory) ?? []
  // Empty after a power failure, which PostgreSQL does not forgive.
  if (pid === '') rmSync(pathIn(directory))
  else if (isAlive(Number(pid))) writeFileSync(pathIn(directory), [process.pid, ...rest].join('\n'))
}

/** A pid in a file may by now be a stranger's or a zombie's: where there is /proc, the command line must name `directory`. */
export function isServerOf(directory: string, pid: number): boolean {
  return hasProc() ? commandLine(pid).includes(directory) : isAlive(pid)
}

/** Whether isServerOf proves anything: not on macOS. */
export function hasProc(): boolean {
  return existsSync('/proc/self/cmdline')
}

function linesOf(directory: string): string[] | undefined {
  return read(pathIn(directory))?.split('\n')
}

function commandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
}

/** undefined when it is not there; it may vanish at any time. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (err) {
    if (['ENOENT', 'ESRCH'].includes((err as NodeJS.ErrnoException).code!)) return undefined
    throw err
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Ends a server gently, then less so; resolves when it is gone. */
export async function endServer(pid: number, isGone: () => boolean, log: Logger): Promise<void> {
  for (const { signal, patienceMs } of ENDINGS) {
    if (isGone()) return
    if (signal !== 'SIGINT') log.warn(`PostgreSQL (process ${pid}) does not end, so it gets ${signal}`)
    try {
      process.kill(pid, signal)
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err
    }
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline && !isGone();) await delay(POLL_MS)
  }
}
