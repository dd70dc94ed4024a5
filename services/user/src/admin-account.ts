import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '@pando/saga'
import { Problem } from '@pando/service'
import type { SignUps } from './sign-up.ts'

/**
 * Makes the first admin by the sign-up that everybody goes through, unless the username exists. Returns whether it was started now.
 * Throws what the sign-up throws, but for a name that another instance took at the same moment.
 */
export async function ensureAdmin(
  db: Database,
  signUps: SignUps,
  admin: { username: string; password: string },
): Promise<boolean> {
  const existing = await db.query('select from users.account where username = $1', [admin.username])
  if (existing.length > 0) return false
  try {
    // `.invalid` is a domain that never exists (RFC 2606).
    await signUps.start({
      ...admin,
      displayName: admin.username,
      email: `${admin.username}@pando.invalid`,
      role: 'admin',
    })
    return true
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'username_taken') return false
    throw thrown
  }
}

const LOOK_MS = 25

/** Resolves when the admin's sign-up has ended, or after `patienceMs`: it needs the other services, which may be elsewhere. */
export async function adminSettled(db: Database, username: string, patienceMs: number): Promise<void> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await delay(LOOK_MS)) {
    const pending = await db.query(`select from users.account where username = $1 and status = 'pending'`, [username])
    if (pending.length === 0) return
  }
}
