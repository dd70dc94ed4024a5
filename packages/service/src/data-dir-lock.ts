import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartError } from './errors.ts'

const SQLITE_BUSY = 5
// A Pando that was killed a moment ago may still be dying.
const PATIENCE_MS = 500

// A lock that the garbage collector closed would be a lock no more.
const held = new Set<DatabaseSync>()

/**
 * Takes `dataDir` for this process until the returned function is called or the process ends, however it ends.
 *
 * Node has no flock(), but SQLite has: an exclusive transaction on an empty database is an fcntl() lock on that file. The
 * kernel grants it to one process, drops it with the process (SIGKILL included) and passes it on to no child. So there is
 * no stale lock to judge, and no moment without an owner while PostgreSQL, which could have held an advisory lock for us,
 * is down. pando.pid only serves the message.
 * @throws {StartError} when another Pando has it
 */
export function lockDataDir(dataDir: string): () => void {
  const pidFile = join(dataDir, 'pando.pid')
  try {
    const lock = new DatabaseSync(join(dataDir, 'pando.lock'), { timeout: PATIENCE_MS })
    lock.exec('pragma journal_mode = memory; begin exclusive')
    held.add(lock)
    writeFileSync(pidFile, `${process.pid}\n`)
    return () => {
      if (held.delete(lock)) lock.close()
    }
  } catch (err) {
    const { message, errcode } = err as Error & { errcode?: number }
    const sentence =
      errcode === SQLITE_BUSY
        ? `DATA_DIR=${dataDir} is in use by another Pando (process ${ownerIn(pidFile)}): stop it, or set DATA_DIR to another folder.`
        : `DATA_DIR=${dataDir} cannot be locked (${message}): may this user write there?`
    throw new StartError('PANDO_DATA_DIR', sentence, { cause: err })
  }
}

function ownerIn(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}
