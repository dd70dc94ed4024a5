import { createRandom, type Random } from '../../src/random.ts'

/**
 * What is wrong with the system under test: nothing, or one of the mistakes that the oracle must see. `fence alone` has no inbox, and no
 * relay that repeats anything: then the positions must keep the effects single.
 */
export type Variant = 'right' | 'cursor relay' | 'no inbox' | 'fence alone'

/** What happens in a round. The seed gives all of it, and every later choice; only the timing of the machine is not its own. */
export interface Plan {
  seed: number
  variant: Variant
  keys: number
  writers: number
  /** Transactions of each writer. */
  transactions: number
  relays: number
  /** Whether the relays heed the leader's lock, or all relay at once. */
  leader: boolean
  relayBatch: number
  consumerBatch: number
  /** The chance that a publish fails before, and after, it has written. */
  publishFails: readonly [before: number, after: number]
  /** The chance that a consumer's connection is cut in a transaction, before its commit, and behind it. */
  cuts: readonly [inside: number, before: number, behind: number]
  /** How often, in milliseconds, any connection is terminated: of the whole system, or of the services' databases. */
  killEveryMs: number
  killServicesOnly: boolean
}

export function planOf(seed: number, variant: Variant): Plan {
  const random = createRandom(seed)
  const repeats = variant !== 'fence alone'
  return {
    seed,
    variant,
    keys: random.pick([1, 5, 20]),
    writers: 6 + random.below(5),
    transactions: 50,
    relays: variant === 'cursor relay' || !repeats ? 1 : 1 + random.below(3),
    leader: variant !== 'no inbox' && random.chance(0.5),
    relayBatch: random.pick([3, 20, 200]),
    consumerBatch: random.pick([5, 40, 500]),
    publishFails: repeats ? [0.05 * random.next(), variant === 'no inbox' ? 0.2 : 0.15 * random.next()] : [0, 0],
    cuts: [0.02 * random.next(), 0.05 * random.next(), 0.05 * random.next()],
    killEveryMs: random.pick([50, 120, 300]),
    killServicesOnly: !repeats,
  }
}

/** A generator for one part of the round, so that the parts do not depend on how they interleave. */
export const randomOf = ({ seed }: Plan, part: number): Random => createRandom(seed * 1_009 + part)
