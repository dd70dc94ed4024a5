const CODES = [
  'PANDO_CONFIG', // an environment variable is not legal
  'PANDO_DATA_DIR', // DATA_DIR cannot be used: taken by another Pando, not reachable, somebody else's
  'PANDO_EMBEDDED_POSTGRES', // the embedded PostgreSQL cannot be made or started
  'PANDO_DATABASE', // DATABASE_URL's cluster cannot be used
  'PANDO_KAFKA', // KAFKA_BROKERS' cluster cannot be used, or the broker for development cannot be fetched or started
  'PANDO_INSTANCE', // a process of a cluster ended before it was ready
] as const

export type StartErrorCode = (typeof CODES)[number]

/**
 * A reason not to start that the operator can mend. Its message is one sentence that names the offender and the way out
 * and never holds a secret: `run` prints it without a stack.
 */
export class StartError extends Error {
  readonly code: StartErrorCode

  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartError'
    this.code = code
  }
}
