// The PostgreSQL that a Pando started under its DATA_DIR, seen from outside.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, createDatabase } from '@pando/saga'
import { commandLine, isAlive, readIfThere } from './process-table.ts'

/** Opens one of its databases as the superuser, with a single connection. Throws while there is no server. */
export function openEmbedded(dataDir: string, database: string): Database {
  const password = readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()
  const port = Number(pidFile(dataDir)[3])
  const connectionString = `postgres://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`
  return createDatabase({ connectionString, max: 1, applicationName: 'test' })
}

/** Its living server process; undefined when there is none, or the number in its file is a stranger's by now. */
export function postmasterOf(dataDir: string): number | undefined {
  const pid = Number(pidFile(dataDir)[0])
  if (!(pid > 0) || !isAlive(pid)) return undefined
  return commandLine(pid)?.includes(join(dataDir, 'postgres')) === false ? undefined : pid
}

function pidFile(dataDir: string): string[] {
  return readIfThere(join(dataDir, 'postgres', 'postmaster.pid'))?.split('\n') ?? []
}
