import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '@pando/service'

const PROGRAM = join(import.meta.dirname, 'service.ts')
const READY = /^Pando \S+ is ready at (http:\/\/\S+)$/
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 10_000
const STABLE_MS = 10_000
// A little more than a process takes at most by itself.
const STOP_PATIENCE_MS = 9_500

export interface InstanceOptions {
  /** `user.1` */
  name: string
  /** `user`, or `gateway`. */
  service: string
  env: Readonly<Record<string, string | undefined>>
  /** Every line that it says, and what is said of it. */
  print: (line: string) => void
  /** Where it answers from now on; undefined: it does not. */
  onUrl: (url: URL | undefined) => void
}

/** A service in a process of its own that is started again whenever it ends, 250 ms later, then twice as long each time up to 10 s. */
export interface Instance {
  readonly name: string
  readonly service: string
  readonly pid: number | undefined
  /** Where it answers; undefined while it does not. */
  readonly url: URL | undefined
  /** Resolves when it answers for the first time. Rejects with a StartError when it ends before that. */
  start(): Promise<void>
  /** SIGKILL; resolves when it is gone. It comes back like after any crash. */
  kill(): Promise<void>
  /** Lets it drain and starts it again at once; resolves when it answers again. */
  restart(): Promise<void>
  /** Lets it drain, for 9.5 s at most, and leaves it so. */
  stop(): Promise<void>
}

interface Run {
  readonly child: ChildProcess
  /** How it ended. */
  readonly exited: Promise<string>
  /** It ends because it was told to. */
  isIntended: boolean
}

export function createInstance({ name, service, env, print, onUrl }: InstanceOptions): Instance {
  const stopping = new AbortController()
  let run: Run | undefined
  let url: URL | undefined
  let answering = Promise.withResolvers<void>()
  let living: Promise<void> | undefined

  function launch(): Run {
    // Through the channel the process notices that this one is gone, however it ended.
    const child = spawn(process.execPath, [PROGRAM, service], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const exited = once(child, 'exit').then(([code, signal]) => (signal as string | null) ?? `exit code ${code}`)
    const read = (from: Readable, hear: (line: string) => void): void =>
      void createInterface({ input: from }).on('line', (line) => {
        print(line)
        hear(line)
      })
    read(child.stderr!, () => {})
    read(child.stdout!, (line) => {
      const said = READY.exec(line)?.[1]
      if (said === undefined || run?.child !== child) return
      url = new URL(said)
      onUrl(url)
      answering.resolve()
    })
    return { child, exited, isIntended: false }
  }

  async function live(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (!stopping.signal.aborted) {
      const startedAt = Date.now()
      run = launch()
      const how = await run.exited
      if (url) answering = Promise.withResolvers()
      url = undefined
      onUrl(undefined)
      if (run.isIntended) continue
      if (Date.now() - startedAt > STABLE_MS) pauseMs = FIRST_PAUSE_MS
      print(`ended (${how}), is started again in ${pauseMs} ms`)
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL', isIntended: boolean): Promise<void> {
    if (!run) return
    run.isIntended ||= isIntended
    run.child.kill(signal)
    await run.exited
  }

  return {
    name,
    service,
    get pid() {
      return run?.child.pid
    },
    get url() {
      return url
    },
    async start() {
      living = live()
      const ended = run!.exited.then((how) => {
        throw new StartError('PANDO_INSTANCE', `${name} ended (${how}) before it was ready; its lines say why.`)
      })
      await Promise.race([answering.promise, ended])
    },
    kill: () => end('SIGKILL', false),
    async restart() {
      await end('SIGTERM', true)
      // A turn later its end is known here too, and `answering` is that of the next one.
      await delay(0)
      await answering.promise
    },
    async stop() {
      stopping.abort()
      const late = setTimeout(() => void end('SIGKILL', true), STOP_PATIENCE_MS)
      await end('SIGTERM', true)
      clearTimeout(late)
      await living
    },
  }
}
