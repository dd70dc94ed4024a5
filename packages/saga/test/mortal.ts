// A stock service in a process of its own, which certain events end: run by a test, in which it is what a killed process would be.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createDatabase, createPostgresTransport } from '../src/index.ts'
import { type Behaviour, startStock } from './stock.ts'

export interface Mortal {
  serviceUrl: string
  logUrl: string
  /** Whoever hears of these is ended: `key:version`. */
  deadly: readonly string[]
  how: 'SIGKILL' | 'exit'
}

/** Starts one; it ends with the test's process, if not before. */
export function bear(mortal: Mortal): ChildProcess {
  return spawn(process.execPath, [import.meta.filename, JSON.stringify(mortal)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

/** Resolves when it has ended; `stop` tells it to, in good order. */
export async function ended(child: ChildProcess, stop = false): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  if (stop) child.kill('SIGTERM')
  await exit
}

async function live({ serviceUrl, logUrl, deadly, how }: Mortal): Promise<void> {
  const db = createDatabase({ connectionString: serviceUrl })
  const log = createDatabase({ connectionString: logUrl })
  const transport = await createPostgresTransport({ db: log })
  const behave: Behaviour = async ({ key, data }) => {
    if (!deadly.includes(`${key}:${data.version}`)) return
    if (how === 'exit') process.exit(1)
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  }
  const { consumer } = await startStock({ db, transport, behave })
  process.once('disconnect', () => process.exit(1))
  process.once('SIGTERM', () => void stop())

  async function stop(): Promise<void> {
    await consumer.stop()
    await transport.close()
    await Promise.all([db.close(), log.close()])
    process.exit(0)
  }
}

if (import.meta.main) await live(JSON.parse(process.argv[2]!) as Mortal)
