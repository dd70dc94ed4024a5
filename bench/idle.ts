import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { remove, startPando, temporaryFolder } from './pando.ts'
import type { Row } from './row.ts'

const SETTLE_MS = 5_000
const WATCH_MS = 20_000
// What Linux counts a process's time in; sysconf(_SC_CLK_TCK) is 100 on all that we support.
const TICK_MS = 10

/** The CPU of Pando in one process, and of its PostgreSQL, while nobody asks for anything. Linux only: elsewhere no row. */
export async function idle(): Promise<Row[]> {
  if (process.platform !== 'linux') return []
  const folder = await temporaryFolder()
  const pando = await startPando(`${folder}/data`)
  try {
    await sleep(SETTLE_MS)
    const before = cpuMs(pando.pid)
    await sleep(WATCH_MS)
    const after = cpuMs(pando.pid)
    const share = (key: 'node' | 'postgres'): number => (100 * (after[key] - before[key])) / WATCH_MS
    return [
      {
        what: 'idle CPU of the one-process form, Node and PostgreSQL',
        value: `${(share('node') + share('postgres')).toFixed(1)} % of a core`,
        target: '< 2 %',
        detail: `Node ${share('node').toFixed(1)} %, PostgreSQL ${share('postgres').toFixed(1)} %, over ${WATCH_MS / 1000} s`,
      },
    ]
  } finally {
    await pando.stop()
    await remove(folder)
  }
}

interface Stat {
  pid: number
  parent: number
  ms: number
}

function cpuMs(pid: number): { node: number; postgres: number } {
  const stats = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []))
  const below = new Set([pid])
  // A parent is always older, but ids may have begun anew.
  for (let size = 0; size < below.size;) {
    size = below.size
    for (const stat of stats) if (below.has(stat.parent)) below.add(stat.pid)
  }
  const sum = (some: readonly Stat[]): number => some.reduce((total, { ms }) => total + ms, 0)
  return {
    node: sum(stats.filter((stat) => stat.pid === pid)),
    postgres: sum(stats.filter((stat) => stat.pid !== pid && below.has(stat.pid))),
  }
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc(5): after the name, which may hold anything: state, parent, …, utime is the 12th, stime the 13th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS }
  } catch {
    return undefined
  }
}
