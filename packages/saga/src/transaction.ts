import type { Database, Leased, Queryable } from './database.ts'
import { asError, SagaError } from './errors.ts'
import { type OutboxRow, insertOutbox } from './outbox.ts'

/**
 * An open transaction: statements go through it, events are appended to it, and both become true together or not at all. When it has
 * ended, everything in it throws SAGA_TRANSACTION_OVER: its connection is another transaction's by then.
 */
export interface Tx extends Queryable {
  /** Events to be written to the outbox by the commit, in order. For `append`. */
  readonly outbox: OutboxRow[]
  /**
   * Sends a statement whose result nobody needs, without waiting for it: the next statement, at the latest the commit, leaves with it.
   * If it fails, the transaction does, with its error.
   */
  send(text: string, values: readonly unknown[]): void
  /** Runs `fn` when all else in it is done, just before the events are written: for what many parts of it add to, to be written once. */
  beforeCommit(fn: () => Promise<void>): void
  /** Runs `fn` once the commit is acknowledged; for wake-ups, which may be lost, never for effects. */
  afterCommit(fn: () => void): void
}

/**
 * Runs `fn` in one transaction (read committed) and commits; what `fn` appended is inserted by the last statement before the commit.
 * Nothing slow may happen inside. Throws what `fn` threw, after a roll-back. SAGA_COMMIT_LOST: a statement failed, `fn` went on, and the
 * server rolled back. After a connection error at the commit the outcome is unknown; the connection is destroyed, never used again.
 */
export async function transaction<T>(db: Database, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const connection = await db.lease()
  const outbox: OutboxRow[] = []
  const last: (() => Promise<void>)[] = []
  const hooks: (() => void)[] = []
  const sent: Promise<unknown>[] = []
  let firstFailure: unknown
  let over = false

  const watched = <S>(statement: Promise<S>): Promise<S> => {
    // Whether or not anybody waits for it, the failure must not be lost, nor end the process as an unhandled rejection.
    statement.catch((thrown: unknown) => (firstFailure ??= thrown))
    return statement
  }
  const ended = (): SagaError =>
    new SagaError(
      'SAGA_TRANSACTION_OVER',
      'a transaction was used after it had ended: wait for all that is started in it',
    )
  const assertOpen = (): void => {
    if (over) throw ended()
  }
  const tx: Tx = {
    query: (text, values) => (over ? Promise.reject(ended()) : watched(connection.query(text, values))),
    send(text, values) {
      assertOpen()
      sent.push(watched(connection.query(text, values)))
    },
    get outbox() {
      assertOpen()
      return outbox
    },
    beforeCommit(fn) {
      assertOpen()
      last.push(fn)
    },
    afterCommit(hook) {
      assertOpen()
      hooks.push(hook)
    },
  }
  let result: T
  try {
    sent.push(watched(connection.query('begin')))
    result = await fn(tx)
    for (const write of last) await write()
    over = true
    if (outbox.length > 0) sent.push(watched(insertOutbox(connection, outbox)))
    // After a statement that failed, PostgreSQL answers the commit with a roll-back.
    sent.push(watched(connection.commit()))
    for (const statement of sent) await statement
  } catch (thrown) {
    over = true
    const error = await reason(sent, thrown)
    await abandon(connection)
    if (!isAftermath(error)) throw error
    throw new SagaError(
      'SAGA_COMMIT_LOST',
      `the transaction was rolled back, because a statement in it had failed: ${asError(firstFailure).message}`,
      { cause: firstFailure },
    )
  }
  connection.release(false)
  if (outbox.length > 0) db.appended()
  for (const hook of hooks) runHook(db, hook)
  return result
}

/** Why it failed: the first failure among the statements that nobody waited for, else what was thrown. */
async function reason(sent: readonly Promise<unknown>[], thrown: unknown): Promise<unknown> {
  const settled = await Promise.allSettled(sent)
  return settled.find((outcome) => outcome.status === 'rejected')?.reason ?? thrown
}

// What comes after a failed statement (in_failed_sql_transaction, a commit that rolls back) does not say what failed.
const isAftermath = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '25P02' || error.code === 'SAGA_COMMIT_LOST')

async function abandon(connection: Leased): Promise<void> {
  try {
    await connection.query('rollback')
    connection.release(false)
  } catch {
    // The first error says more; this one would only hide it.
    connection.release(true)
  }
}

function runHook(db: Database, hook: () => void): void {
  try {
    hook()
  } catch (thrown) {
    // It is committed: whoever called must not believe otherwise, and do it again.
    db.report(asError(thrown))
  }
}

/** Runs `fn` again, at once and at most `times` times, when PostgreSQL chose its transaction to end a deadlock or a conflict. */
export async function retryOnConflict<T>(fn: () => Promise<T>, times = 5): Promise<T> {
  for (let left = times; ; left--) {
    try {
      return await fn()
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
      if (left <= 1 || (code !== '40001' && code !== '40P01')) throw thrown
    }
  }
}
