const CODES = [
  'SAGA_EVENT_INVALID', // data does not fit its event's schema
  'SAGA_EVENT_UNREADABLE', // a record that is no envelope, or of a newer major version
  'SAGA_EVENT_DEADLY', // whoever handled it was ended by it, again and again
  'SAGA_EVENT_UNDECLARED', // a reaction emitted an event that its `emits` does not name
  'SAGA_DEFINITION', // two definitions contradict each other
  'SAGA_LOG_UNAVAILABLE', // the log cannot be reached, or does not do what it was asked for the moment
  'SAGA_LOG_CHANGED', // the log is not the one the position was made on
  'SAGA_OFFSET_OUT_OF_LOG', // the record at the position is no longer, or not yet, in the log
  'SAGA_PARTITIONS_CHANGED', // a topic has another number of partitions than the system says
  'SAGA_FENCED', // another instance moved the position first
  'SAGA_MIGRATION', // a migration is missing, changed or failed
  'SAGA_COMMIT_LOST', // the transaction was rolled back by the server at commit
  'SAGA_TRANSACTION_OVER', // a transaction was used after it had ended
  'SAGA_NOT_PARKED', // redrive or discard of a key that is not parked
  'SAGA_CURSOR', // a stream id that does not have the shape <epoch>-<seq>
  'SAGA_STOPPED', // used after stop()
] as const

export type SagaErrorCode = (typeof CODES)[number]

/** Every error this package throws by itself: `code` for programs, `message` a sentence that names the offender and the way out. */
export class SagaError extends Error {
  readonly code: SagaErrorCode
  /** The partition that it is about, when it is about one. */
  readonly partition: number | undefined

  constructor(code: SagaErrorCode, message: string, options: { cause?: unknown; partition?: number } = {}) {
    super(message, options)
    this.name = 'SagaError'
    this.code = code
    this.partition = options.partition
  }
}

/** Any thrown value as an Error, the value itself kept as `cause`. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })
}

// Serialisation failure, deadlock, lock not available, connection trouble, shutdown, too many connections, disk or memory full, a
// server that is a standby for the moment: the statement was right and will pass once the cause is gone (PostgreSQL manual, appendix A).
const TRANSIENT_STATES = /^(40001|40003|40P01|55P03|08...|57P0.|53...|58030|25006|25P03)$/
const TRANSIENT_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'SAGA_FENCED',
  'SAGA_LOG_UNAVAILABLE',
])
// What `pg` says, without a code, when a connection ends under a query or cannot be had.
const TRANSIENT_MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|timeout expired$|Client was closed)/

/** Whether trying the same thing again later can help: a lost connection, a deadlock, a full disk; not a bug, not bad data. */
export function isTransient(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  // Whatever the reason: a server that restarts on a Unix socket, for one, is ENOENT.
  if ('syscall' in thrown && thrown.syscall === 'connect') return true
  if (TRANSIENT_CODES.has(code) || TRANSIENT_STATES.test(code) || TRANSIENT_MESSAGES.test(thrown.message)) return true
  return thrown.cause !== undefined && isTransient(thrown.cause)
}
