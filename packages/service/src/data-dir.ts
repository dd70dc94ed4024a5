import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StartError } from './errors.ts'
import { lockFile } from './file-lock.ts'

// Whoever was killed a moment ago may still be dying.
const PATIENCE_MS = 500

/**
 * Makes the folder when it is missing, so that the user as whom PostgreSQL runs can enter it.
 * @returns its path with links resolved: by that PostgreSQL is known, and knows itself again
 * @throws {StartError}
 */
export function makeDataDir(dataDir: string): string {
  try {
    const made = mkdirSync(dataDir, { recursive: true })
    // Root's umask may close new folders to the user as whom PostgreSQL runs.
    for (let folder = dataDir; made !== undefined && process.getuid?.() === 0; folder = dirname(folder)) {
      chmodSync(folder, 0o755)
      if (folder === made) break
    }
    return realpathSync(dataDir)
  } catch (err) {
    throw new StartError('PANDO_DATA_DIR', `DATA_DIR=${dataDir} cannot be made (${(err as Error).message}).`, {
      cause: err,
    })
  }
}

/**
 * Takes `dataDir` for this process, as the only Pando or the only Kafka there, until the returned function is called or the process
 * ends, however it ends. There is no moment without an owner while PostgreSQL, which could have held an advisory lock for us, is
 * down. The file with the process's number only serves the message.
 * @throws {StartError} when another one has it
 */
export function lockDataDir(dataDir: string, owner: 'Pando' | 'Kafka' = 'Pando'): () => void {
  const name = join(dataDir, owner.toLowerCase())
  const unlock = tryLock(dataDir, name)
  if (unlock) return unlock
  throw new StartError(
    'PANDO_DATA_DIR',
    `DATA_DIR=${dataDir} is in use by another ${owner} (process ${ownerIn(`${name}.pid`)}): stop it, or set DATA_DIR to another folder.`,
  )
}

function tryLock(dataDir: string, name: string): (() => void) | undefined {
  try {
    const unlock = lockFile(`${name}.lock`, PATIENCE_MS)
    if (unlock) writeFileSync(`${name}.pid`, `${process.pid}\n`)
    return unlock
  } catch (err) {
    throw new StartError(
      'PANDO_DATA_DIR',
      `DATA_DIR=${dataDir} cannot be locked (${(err as Error).message}): may this user write there?`,
      { cause: err },
    )
  }
}

function ownerIn(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}
