import type { Database, Leased, Queryable } from './database.ts'
import { isTransient } from './errors.ts'
import { type OutboxRow, insertOutbox } from './outbox.ts'

/** An open transaction: statements go through it, events are appended to it, and both become true together or not at all. */
export interface Tx extends Queryable {
  /** Events to be written to the outbox by the commit, in order. For `append`. */
  readonly outbox: OutboxRow[]
  /**
   * Sends a statement whose result nobody needs, without waiting for it: the next statement, at the latest the commit, leaves with it.
   * If it fails, the transaction does, with its error.
   */
  send(text: string, values: readonly unknown[]): void
  /** Runs `fn` once the commit is acknowledged; for wake-ups, which may be lost, never for effects. */
  afterCommit(fn: () => void): void
}

/**
 * Runs `fn` in one transaction (read committed) and commits; what `fn` appended is inserted by the last statement before the commit.
 * Nothing slow may happen inside. Throws what `fn` threw, after a roll-back. SAGA_COMMIT_LOST: the server rolled back.
 * After a connection error at the commit the outcome is unknown; the connection is destroyed, never used again.
 */
export async function transaction<T>(db: Database, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const connection = await db.lease()
  const hooks: (() => void)[] = []
  const sent: Promise<unknown>[] = []
  const later = (statement: Promise<unknown>): void => {
    // Looked at before the commit counts; until then it must not be an unhandled rejection.
    statement.catch(() => {})
    sent.push(statement)
  }
  const tx: Tx = {
    query: (text, values) => connection.query(text, values),
    send: (text, values) => later(connection.query(text, values)),
    outbox: [],
    afterCommit: (hook) => void hooks.push(hook),
  }
  let result: T
  try {
    later(connection.query('begin'))
    result = await fn(tx)
    if (tx.outbox.length > 0) later(insertOutbox(tx, tx.outbox))
    // After a statement that failed, PostgreSQL answers the commit with a roll-back.
    later(connection.commit())
    for (const statement of sent) await statement
  } catch (thrown) {
    const error = await firstError(sent, thrown)
    await abandon(connection, error)
    throw error
  }
  connection.release(false)
  if (tx.outbox.length > 0) db.appended()
  for (const hook of hooks) hook()
  return result
}

// A statement after a failed one fails too ("current transaction is aborted"); the first one says why.
async function firstError(sent: readonly Promise<unknown>[], thrown: unknown): Promise<unknown> {
  const settled = await Promise.allSettled(sent)
  return settled.find((outcome) => outcome.status === 'rejected')?.reason ?? thrown
}

async function abandon(connection: Leased, thrown: unknown): Promise<void> {
  if (isTransient(thrown)) return connection.release(true)
  try {
    await connection.query('rollback')
    connection.release(false)
  } catch {
    // The first error says more; this one would only hide it.
    connection.release(true)
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
