import { DatabaseSync } from 'node:sqlite'

const SQLITE_BUSY = 5

// A lock that the garbage collector closed would be a lock no more.
const held = new Set<DatabaseSync>()

/**
 * Takes `file`, which is made when it is missing, for this process until the returned function is called or the process ends,
 * however it ends; undefined when somebody has it. Blocks the process for up to `patienceMs`.
 *
 * Node has no flock(), but SQLite has: an exclusive transaction on an empty database is an fcntl() lock on that file. The
 * kernel grants it to one process, drops it with the process (SIGKILL included) and passes it on to no child. So there is
 * no stale lock to judge.
 * @throws when the file cannot be opened or written
 */
export function lockFile(file: string, patienceMs: number): (() => void) | undefined {
  const lock = new DatabaseSync(file, { timeout: patienceMs })
  try {
    lock.exec('pragma journal_mode = memory; begin exclusive')
  } catch (err) {
    lock.close()
    if ((err as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw err
  }
  held.add(lock)
  return () => {
    if (held.delete(lock)) lock.close()
  }
}
