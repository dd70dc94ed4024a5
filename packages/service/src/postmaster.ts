import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { StartError } from './errors.ts'
import type { Logger } from './log.ts'
import { disownPidFile, endServer, hasProc, isServerOf, readPidFile } from './postmaster-process.ts'
import type { Account } from './server-account.ts'

const POLL_MS = 10
const START_PATIENCE_MS = 5000
const SLOW_MS = 5000
const SHORTEST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
const STABLE_MS = 60_000

export interface PostmasterOptions {
  program: string
  /** The cluster, links resolved. */
  directory: string
  logFile: string
  account: Account | undefined
  /** `name=value`, each stronger than postgresql.conf. */
  settings: readonly string[]
  urlAt: (port: number) => string
  log: Logger
}

interface Server {
  readonly pid: number | undefined
  readonly exited: Promise<void>
  /** undefined while it runs */
  howItEnded(): string | undefined
}

/**
 * The PostgreSQL server of a cluster. It has a session of its own, so that Ctrl-C reaches only Pando, which drains before it
 * stops the server; it writes to a file, so that it never waits for a reader that is dead; it is brought back when it dies.
 */
export class Postmaster {
  readonly port: number
  readonly #options: PostmasterOptions
  readonly #stopping = new AbortController()
  #server: Server
  #stopped: Promise<void> | undefined

  /**
   * Ends the server that a killed Pando left behind, starts one and waits until it takes connections, however long it recovers.
   * @throws {StartError} when it ends at once, again and again for 5 s
   */
  static async start(options: PostmasterOptions): Promise<Postmaster> {
    await endOrphan(options)
    const logged = statSync(options.logFile, { throwIfNoEntry: false })?.size ?? 0
    const deadline = Date.now() + START_PATIENCE_MS
    for (let pauseMs = 50; ; pauseMs *= 2) {
      // Tried again, because somebody may be faster to take the port, and children of a killed server may linger.
      const port = await freePort()
      const server = launch(options, port)
      try {
        if (await isReady(server, port, options)) return new Postmaster(server, port, options)
      } catch (err) {
        await end(server, options.log)
        throw err
      }
      if (Date.now() > deadline) throw doesNotStart(server, options.logFile, logged)
      await delay(pauseMs)
    }
  }

  private constructor(server: Server, port: number, options: PostmasterOptions) {
    this.#server = server
    this.port = port
    this.#options = options
    void this.#watch()
  }

  /** Ends the server, with everything written. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await end(this.#server, this.#options.log)
  }

  /** Never gives up and keeps the port: it was handed out, and the services wait for it to answer again. */
  async #watch(): Promise<void> {
    const { log } = this.#options
    let pauseMs = SHORTEST_PAUSE_MS
    for (;;) {
      const startedAt = Date.now()
      await this.#server.exited
      if (Date.now() - startedAt > STABLE_MS) pauseMs = SHORTEST_PAUSE_MS
      if (this.#stopping.signal.aborted) return
      log.error(`PostgreSQL ended (${this.#server.howItEnded()}) and is started again in ${pauseMs} ms`)
      await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      try {
        this.#server = launch(this.#options, this.port)
        if (await isReady(this.#server, this.port, this.#options)) log.warn('PostgreSQL takes connections again')
      } catch (err) {
        log.error({ err }, 'PostgreSQL cannot be started again')
      }
    }
  }
}

function launch({ program, directory, logFile, account, settings }: PostmasterOptions, port: number): Server {
  disownPidFile(directory)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(
    program,
    ['-D', directory, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    {
      cwd: '/',
      detached: true,
      // macOS insists on a locale; nothing else that we have (PGDATA, PGOPTIONS) is the server's business.
      env: { LC_ALL: 'C' },
      stdio: ['ignore', log, log],
      ...account,
    },
  )
  closeSync(log)
  let ending: string | undefined
  const exited = new Promise<void>((resolve) => {
    const ended = (how: string) => {
      ending = how
      resolve()
    }
    child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    // A program that cannot be run has no exit.
    child.once('error', (err) => ended(err.message))
  })
  return { pid: child.pid, exited, howItEnded: () => ending }
}

/** True once it takes connections, false when it has ended. */
async function isReady(server: Server, port: number, { directory, urlAt, log }: PostmasterOptions): Promise<boolean> {
  let slowAt = Date.now() + SLOW_MS
  for (; server.howItEnded() === undefined; await delay(POLL_MS)) {
    const file = readPidFile(directory)
    // Asked for first, because the port may be another program's.
    const isReadyItself = file?.pid === server.pid && file?.status === 'ready'
    if (isReadyItself && (await answers(urlAt(port)))) return true
    if (Date.now() < slowAt) continue
    slowAt = Date.now() + SLOW_MS
    log.info('PostgreSQL is still starting; after a crash it recovers first')
  }
  return false
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select')
    return true
  } catch (err) {
    // Class 28, invalid authorization: no wait helps.
    if (err instanceof pg.DatabaseError && err.code?.startsWith('28'))
      throw new StartError(
        'PANDO_EMBEDDED_POSTGRES',
        `The embedded PostgreSQL refuses the password in DATA_DIR (${err.message}): restore the file postgres.password that belongs to it.`,
        { cause: err },
      )
    return false
  } finally {
    await client.end()
  }
}

/**
 * A Pando that is killed leaves its server running. That one is ended, not taken over, which costs a tenth of a second: then
 * no lock or transaction of the dead Pando lives on, and the new server has this version's program and settings and is a
 * child of ours, of whose end we are told.
 */
async function endOrphan({ directory, urlAt, log }: PostmasterOptions): Promise<void> {
  const file = readPidFile(directory)
  if (!file || !isServerOf(directory, file.pid)) return
  // Where the system cannot tell whose process it is, the password does.
  if (!hasProc() && !(await answers(urlAt(file.port)).catch(() => false))) return
  log.info(`ending the PostgreSQL (process ${file.pid}) that a killed Pando left behind`)
  await endServer(file.pid, () => !isServerOf(directory, file.pid), log)
}

async function end(server: Server, log: Logger): Promise<void> {
  if (server.pid !== undefined) await endServer(server.pid, () => server.howItEnded() !== undefined, log)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

function doesNotStart(server: Server, logFile: string, logged: number): StartError {
  const lines = readFileSync(logFile).subarray(logged).toString().split('\n')
  const lastWords = lines.findLast((line) => line.includes('FATAL:'))?.replace(/^.*FATAL: +/, '')
  return new StartError(
    'PANDO_EMBEDDED_POSTGRES',
    `The embedded PostgreSQL does not start (${lastWords ?? server.howItEnded()}): see ${logFile}.`,
  )
}
