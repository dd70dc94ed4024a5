import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StartError } from './errors.ts'

/** As whom to run a program. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * As whom the PostgreSQL of `clusterDir` runs; undefined: as Pando's own user. PostgreSQL refuses to be root, so as root it
 * runs as whoever owns the cluster, and a new one goes to `postgres` or else `nobody`: initdb wants a line in /etc/passwd.
 * @throws {StartError} when the cluster is another user's, or there is no such user
 */
export function serverAccount(clusterDir: string): Account | undefined {
  const owner = statSync(clusterDir, { throwIfNoEntry: false })
  const self = process.getuid?.()
  if (self === 0) return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : accountForRoot()
  if (owner && self !== undefined && owner.uid !== self)
    throw new StartError(
      'PANDO_DATA_DIR',
      `${clusterDir} belongs to the user with the id ${owner.uid}, but Pando runs as ${self}: start it as that user or root, or set DATA_DIR to another folder.`,
    )
  return undefined
}

function accountForRoot(): Account {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new StartError(
    'PANDO_EMBEDDED_POSTGRES',
    'PostgreSQL does not run as root, and /etc/passwd has neither postgres nor nobody: start Pando as another user, or set DATABASE_URL.',
  )
}

/**
 * Checks that `account` may walk through `folder` and every folder above it.
 * @throws {StartError} that names the folder that is closed
 */
export function assertReachable(folder: string, { uid, gid }: Account): void {
  const { mode, ...owner } = statSync(folder)
  const mayWalk = owner.uid === uid ? 0o100 : owner.gid === gid ? 0o010 : 0o001
  if ((mode & mayWalk) === 0)
    throw new StartError(
      'PANDO_DATA_DIR',
      `${folder} is closed to the user with the id ${uid}, as whom PostgreSQL has to run when Pando is started as root: ` +
        `run "chmod o+x ${folder}", use a DATA_DIR and an installation elsewhere, start Pando as another user, or set DATABASE_URL.`,
    )
  if (dirname(folder) !== folder) assertReachable(dirname(folder), { uid, gid })
}
