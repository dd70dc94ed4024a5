import { hash, type Options, verify } from '@node-rs/argon2'
import { availableParallelism } from 'node:os'
import { Problem } from '@pando/service'

/** Who waits longer than this for their turn is asked `stillWanted` before it is hashed. */
const LONG_MS = 1_000

/**
 * Hashes at once. One more than cores, so that a core that is done finds its next one without waiting for this thread (measured: 79 % of
 * the rate of hashing alone became 84 %); one less than libuv's threads, so that whoever needs another one gets it.
 */
export const AT_ONCE = Math.max(
  1,
  Math.min(availableParallelism() + 1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 1),
)

// Algorithm.Argon2id of the package, which declares it as a `const enum`: that needs a compiler to read.
const ARGON2ID = 2

export interface Passwords {
  /**
   * The argon2id hash. `stillWanted` is asked, and may throw, when the wait was long: so that of many sign-ups for one name only a
   * few are hashed. Throws unavailable when too many wait.
   */
  hash(password: string, stillWanted?: () => Promise<void>): Promise<string>
  /** Whether it is the password of this hash; without a hash takes as long and is false. */
  verify(stored: string | undefined, password: string): Promise<boolean>
  /** How many wait for their turn. */
  waiting(): number
}

/**
 * Hashes `AT_ONCE` passwords in libuv's threads, so that other requests go on; the others wait, at most `queue` (default 2,000). Costs: `memoryKib` KiB and `passes` (OWASP's minimum is 19,456 and 2).
 */
export function createPasswords({
  memoryKib,
  passes,
  queue = 2_000,
}: {
  memoryKib: number
  passes: number
  queue?: number
}): Passwords {
  const cost: Options = { algorithm: ARGON2ID, memoryCost: memoryKib, timeCost: passes, parallelism: 1 }
  const waiting: (() => void)[] = []
  let free = AT_ONCE
  // Compared with when there is no such user, so that the time of the answer does not tell.
  const nobody = hash('nobody has this password', cost)
  nobody.catch(() => {})

  async function inTurn<T>(work: (waitedMs: number) => Promise<T>): Promise<T> {
    const from = performance.now()
    if (free > 0) free--
    else if (waiting.length >= queue)
      throw new Problem('unavailable', {
        detail: 'Too many are waiting; try again in a moment.',
        headers: { 'retry-after': '2' },
      })
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await work(performance.now() - from)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }

  return {
    waiting: () => waiting.length,
    hash: (password, stillWanted) =>
      inTurn(async (waitedMs) => {
        if (waitedMs > LONG_MS) await stillWanted?.()
        return hash(password, cost)
      }),
    verify: (stored, password) =>
      inTurn(async () => {
        const same = await verify(stored ?? (await nobody), password)
        return stored !== undefined && same
      }),
  }
}
