import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  lchownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StartError } from './errors.ts'
import type { Logger } from './log.ts'
import type { Account } from './server-account.ts'

const UNFINISHED = 'postgres.new-'

export interface ClusterOptions {
  dataDir: string
  /** Where the cluster is or goes: a folder in `dataDir`. */
  directory: string
  initdb: string
  account: Account | undefined
  log: Logger
}

/**
 * Makes the cluster when there is none yet and returns the password of its user `postgres`.
 * @throws {StartError} when it cannot be made, or has lost its password
 */
export async function ensureCluster(options: ClusterOptions): Promise<string> {
  const { dataDir, directory, account } = options
  const passwordFile = join(dataDir, 'postgres.password')
  removeUnfinished(dataDir)
  if (!existsSync(join(directory, 'PG_VERSION'))) return createCluster(options, passwordFile)

  // A backup that root copied back belongs to root.
  if (account && statSync(directory).uid !== account.uid) giveTo(account, directory)
  if (existsSync(passwordFile)) return readFileSync(passwordFile, 'utf8').trim()
  throw new StartError(
    'PANDO_EMBEDDED_POSTGRES',
    `${passwordFile} is missing, and without it the database in ${directory} stays closed: restore both from one backup.`,
  )
}

/** Nothing carries the name `directory` before it is complete, so an interrupted start leaves no half cluster. */
async function createCluster(
  { dataDir, directory, initdb, account, log }: ClusterOptions,
  passwordFile: string,
): Promise<string> {
  const password = randomBytes(24).toString('base64url')
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  const unfinished = mkdtempSync(join(dataDir, UNFINISHED))
  if (account) for (const path of [passwordFile, unfinished]) chownSync(path, account.uid, account.gid)
  const options = { cwd: '/', env: { LC_ALL: 'C' }, ...account }
  try {
    await promisify(execFile)(
      initdb,
      [
        ['--pgdata', unfinished],
        ['--username', 'postgres'],
        ['--pwfile', passwordFile],
        ['--auth', 'scram-sha-256'],
        ['--encoding', 'UTF8'],
        ['--locale', 'C'],
        ['--locale-provider', 'builtin'],
        ['--builtin-locale', 'C.UTF-8'],
        ['--no-instructions'],
        ['--no-sync'],
      ].flat(),
      options,
    )
    renameSync(unfinished, directory)
  } catch (err) {
    removeUnfinished(dataDir)
    throw new StartError('PANDO_EMBEDDED_POSTGRES', `A database cannot be made in ${directory}: ${reason(err)}.`, {
      cause: err,
    })
  }
  // What --no-sync saved at the start is caught up with behind it; the server itself always syncs.
  spawn(initdb, ['--sync-only', '--pgdata', directory], { ...options, detached: true, stdio: 'ignore' })
    .once('error', (err) => log.warn({ err }, 'the new database cannot be synced to disk'))
    .unref()
  return password
}

function removeUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir).filter((entry) => entry.startsWith(UNFINISHED))) {
    try {
      rmSync(join(dataDir, name), { recursive: true, force: true })
    } catch {
      // The initdb of a killed Pando lives on for a moment and may still write there; the next start removes the rest.
    }
  }
}

function giveTo({ uid, gid }: Account, directory: string): void {
  chownSync(directory, uid, gid)
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(directory, name), uid, gid)
}

function reason(err: unknown): string {
  const { stderr, message } = err as Error & { stderr?: string }
  return (stderr?.match(/error: (.*)/)?.[1] ?? message).trim()
}
