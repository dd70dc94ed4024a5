import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Pando as people start it, in a process of its own. */
export interface Pando {
  url: string
  pid: number
  /** From the start of the process to the ready line. */
  readyMs: number
  stop(): Promise<void>
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pando-bench-'))
  // As root, PostgreSQL runs as another user, which must be able to enter.
  await chmod(folder, 0o755)
  return folder
}

/** Starts it on `dataDir` with its embedded PostgreSQL. Rejects with what it said when it does not become ready. */
export async function startPando(dataDir: string, env: Record<string, string> = {}): Promise<Pando> {
  const from = performance.now()
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'start.ts')], {
    env: { PATH: process.env.PATH, PORT: '0', METRICS_PORT: 'off', RATE_LIMIT: 'off', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const url = await ready(child)
  return {
    url,
    pid: child.pid!,
    readyMs: performance.now() - from,
    async stop() {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

function ready(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (text: Buffer): void => {
      said = (said + text.toString()).slice(-10_000)
      const url = /ready at (http:\S+)/.exec(said)?.[1]
      if (url) resolve(url)
    }
    child.stdout!.on('data', hear)
    child.stderr!.on('data', hear)
    child.on('exit', () => reject(new Error(`Pando did not start: ${said}`)))
  })
}

export const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })
