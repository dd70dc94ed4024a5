import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type Database } from '@pando/saga'
import { createLog, loadConfig } from '@pando/service'
import { type Process, SERVICE_NAMES, startServices } from '../../pando.ts'
import { LOG_DATABASE, type ServiceName } from '../../system.ts'
import { clusterUrl, dropDatabases, type Scope, testName, urlOf } from './postgres.ts'

/** Pando in the test's own process, on databases of the test's own. */
export interface System extends Process {
  /** What the tests look into the databases with; not what the services use. */
  readonly databases: Readonly<Record<ServiceName | typeof LOG_DATABASE, Database>>
  /** What all processes of this installation logged, from `debug` on, as it was written. */
  readonly logged: readonly string[]
  /** The environment of a process of this installation, for one that a test starts, and kills, by itself. */
  readonly env: Readonly<Record<string, string>>
  /** Starts these services as another process of the same installation; it is stopped with the system, if not before. */
  join(services: readonly ServiceName[], env?: Record<string, string>): Promise<Process>
}

export interface SystemOptions {
  /** Environment variables beside those that make it a test's: cheap hashing, free ports, no rate limits. */
  env?: Record<string, string>
  /** Default: all of them, as `npm start` does. */
  services?: readonly ServiceName[]
}

/** Starts Pando; after the test, or the file when `scope` is node:test's `{ after }`, it is stopped and its databases are dropped. */
export async function startSystem(
  scope: Scope,
  { env = {}, services = SERVICE_NAMES }: SystemOptions = {},
): Promise<System> {
  const prefix = testName('e2e')
  const dataDir = await mkdtemp(join(tmpdir(), 'pando-test-'))
  const names = [...SERVICE_NAMES, LOG_DATABASE] as const
  const databases = Object.fromEntries(
    names.map((name) => [
      name,
      createDatabase({ connectionString: urlOf(`${prefix}_${name}`), max: 2, applicationName: 'test' }),
    ]),
  ) as Record<(typeof names)[number], Database>
  const processes: Process[] = []
  const logged: string[] = []
  scope.after(async () => {
    await Promise.all(processes.map((process) => process.stop()))
    await Promise.all(Object.values(databases).map((db) => db.close()))
    await dropDatabases(prefix)
    await rm(dataDir, { recursive: true, force: true })
  })

  const common = {
    PORT: '0',
    METRICS_PORT: '0',
    DATA_DIR: dataDir,
    DATABASE_URL: clusterUrl(),
    DATABASE_PREFIX: prefix,
    PASSWORD_HASH_MEMORY_KIB: '8',
    PASSWORD_HASH_PASSES: '1',
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'debug',
    ...env,
  }
  async function start(which: readonly ServiceName[], more: Record<string, string> = {}): Promise<Process> {
    const config = loadConfig({ ...common, ...more })
    const log = createLog({ level: config.logLevel, name: 'pando' }, { write: (line) => void logged.push(line) })
    const process = await startServices(which, { config, log })
    processes.push(process)
    return process
  }

  const first = await start(services)
  return {
    ...first,
    databases,
    logged,
    env: { ...common, USER_URL: first.url },
    join: (which, more) => start(which, { USER_URL: first.url, ...more }),
  }
}
