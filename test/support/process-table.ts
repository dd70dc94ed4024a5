// What the operating system says of processes. Where it has no /proc (macOS), only whether they exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const hasProc = existsSync('/proc/self/stat')

/** Whether the process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return !hasProc || statOf(pid)?.state !== 'Z'
}

/** Its children; none where the system cannot say. */
export function childrenOf(pid: number): number[] {
  if (!hasProc) return []
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.map(Number).filter((one) => statOf(one)?.parent === pid)
}

/** Whether a living process is in the group; true where the system cannot say. */
export function isInGroup(pid: number, group: number): boolean {
  return isAlive(pid) && (!hasProc || statOf(pid)?.group === group)
}

/** Its arguments, the program first; undefined where the system cannot say. */
export function commandLine(pid: number): string[] | undefined {
  return readIfThere(`/proc/${pid}/cmdline`)?.split('\0')
}

/** The text of a file that may vanish at any time. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function statOf(pid: number): { state: string; parent: number; group: number } | undefined {
  const [, state, parent, group] = /^\d+ \(.*\) (\S) (\d+) (\d+)/s.exec(readIfThere(`/proc/${pid}/stat`) ?? '') ?? []
  return state === undefined ? undefined : { state, parent: Number(parent), group: Number(group) }
}
