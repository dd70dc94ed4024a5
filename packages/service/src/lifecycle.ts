import { SagaError } from '@pando/saga'
import { StartError } from './errors.ts'
import { createLog } from './log.ts'

/** Supervisors kill after 10 s. */
const DRAIN_MS = 9_000
const WRONG_STATE = new Set<string>(['SAGA_PARTITIONS_CHANGED', 'SAGA_LOG_CHANGED', 'SAGA_MIGRATION'])

/** What `start` of `run` hands over: where it answers, and how it drains and ends. */
export interface Running {
  readonly url: string
  stop(): Promise<void>
}

/**
 * The life of a process: starts, prints the ready line (the only line on stdout), and on the first SIGTERM or SIGINT
 * stops; later signals change nothing, they are already obeyed.
 *
 * Exit code 0: drained, also when the signal came while starting. 1: not started, not drained within `drainMs` (default 9 s), or a
 * bug that nobody caught. A StartError and an address that cannot be listened on are one line on
 * stderr; anything else goes to the log with its stack.
 *
 * `start` gets a signal that is aborted by that first SIGTERM or SIGINT, to cut its waits short; when it throws, it has
 * stopped what it had started.
 */
export async function run(
  name: string,
  start: (signal: AbortSignal) => Promise<Running>,
  drainMs = DRAIN_MS,
): Promise<void> {
  const log = createLog({ level: 'info', name: 'lifecycle' })
  const ending = new AbortController()
  const ended = Promise.withResolvers<void>()

  const end = () => {
    if (ending.signal.aborted) return
    // Keeps the process alive until then, so that a stop that waits for nothing at all cannot pass for a clean exit.
    setTimeout(() => {
      log.warn(`${name} did not drain within ${drainMs} ms and ends with work unfinished`)
      process.exit(1)
    }, drainMs)
    ending.abort()
    ended.resolve()
  }
  const fail = (err: unknown) => {
    log.fatal({ err }, 'an error that nobody caught')
    process.exit(1)
  }
  process.on('SIGTERM', end).on('SIGINT', end).on('unhandledRejection', fail).on('uncaughtException', fail)

  const running = await start(ending.signal).catch((err: unknown) => {
    // What was interrupted by the signal has failed because of it.
    if (ending.signal.aborted) process.exit(0)
    const sentence = expected(err)
    if (sentence === undefined) log.fatal({ err }, `${name} cannot start`)
    else process.stderr.write(`${name} cannot start: ${sentence}\n`)
    process.exit(1)
  })
  if (!ending.signal.aborted) process.stdout.write(`${name} is ready at ${running.url}\n`)

  await ended.promise
  await running.stop().catch(fail)
  process.exit(0)
}

function expected(thrown: unknown): string | undefined {
  if (thrown instanceof StartError) return thrown.message
  // The log or the databases are not those that this version, or this system.ts, has worked with.
  if (thrown instanceof SagaError && WRONG_STATE.has(thrown.code)) return `${thrown.message}.`
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown)) return undefined
  const { syscall, code, port, address, hostname } = thrown as NodeJS.ErrnoException & {
    port?: number
    address?: string
    hostname?: string
  }
  if (syscall === 'getaddrinfo') return `HOST=${hostname} is not a name that this machine knows.`
  if (syscall !== 'listen') return undefined
  if (code === 'EADDRINUSE')
    return `PORT=${port} is taken on ${address}: end the process that listens there, or set PORT to another one (0 = a free port).`
  if (code === 'EACCES') return `PORT=${port} is not open to this user: set PORT to one above 1023.`
  if (code === 'EADDRNOTAVAIL') return `HOST=${address} is not an address of this machine.`
  return undefined
}
