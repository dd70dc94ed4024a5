import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { StreamEventData } from '@pando/events/stream'
import {
  asError,
  createBell,
  createLoop,
  type Database,
  type Hub,
  type Running,
  type StreamSource,
  transaction,
} from '@pando/saga'
import type { Ephemeral } from '@pando/service'
import { presenceNews } from './contacts.ts'
import { declareDead, endLease, sweepSome, writeLease } from './leases.ts'

// Who is there: users with an open stream in any process. Each process holds a lease, renewed every 10 s; one that is not seen for 30 s
// is dead. What its users open and close is collected, so that a crowd costs a few statements. Whoever comes is told of at once; whoever
// goes, when they have not been back for 10 s, so that a stream that begins anew is no absence.

const RENEW_MS = 10_000
const GATHER_MS = 100
const SWEEP_MS = 3_000
const DEAD_MS = 30_000
/** Users of whom is told in one question. */
const TELL_AT_ONCE = 500

/** The leases of this process, and its part of the looking after all of them. */
export interface Presence extends Omit<Running, 'start'> {
  /** Rejects when the first lease cannot be written. */
  start(): Promise<void>
  /** Users with an open stream in this process. */
  here(): number
  /** Tells of these users as they are now: they have new contacts. */
  tell(userIds: Iterable<string>): void
}

export function createPresence(options: {
  db: Database
  hub: Hub
  /** The streams of users. */
  source: StreamSource
  ephemeral: Ephemeral
  onError: (error: Error) => void
}): Presence {
  const { db, hub, source, ephemeral, onError } = options
  const instanceId = randomUUID()
  const here = new Set<string>()
  const changed = new Set<string>()
  const untold = new Set<string>()
  const news = createBell()
  const clock = createBell()
  const gossip = createBell()
  /** Since when the lease was renewed without a gap, and when it was last. */
  let aliveSince = performance.now()
  let renewedAt = -Infinity

  const unlisten = hub.onStream(source, (userId, isOpen) => {
    if (isOpen) here.add(userId)
    else here.delete(userId)
    changed.add(userId)
    news.ring()
  })

  async function write(): Promise<void> {
    const users = [...changed]
    changed.clear()
    try {
      tellOf(await writeLease(db, instanceId, { users, here }))
    } catch (thrown) {
      for (const userId of users) changed.add(userId)
      news.ring()
      throw thrown
    }
    const now = performance.now()
    if (now - renewedAt > 1.5 * RENEW_MS) aliveSince = now
    renewedAt = now
  }

  function tellOf(userIds: Iterable<string>): void {
    for (const userId of userIds) untold.add(userId)
    if (untold.size > 0) gossip.ring()
  }

  const writing = createLoop({
    bell: news,
    onError,
    async turn(stopping) {
      await news.wait(RENEW_MS)
      // More come with it.
      if (changed.size > 0 && !stopping()) await delay(GATHER_MS)
      await write()
    },
  })

  const sweeping = createLoop({
    bell: clock,
    onError,
    async turn() {
      await clock.wait(SWEEP_MS)
      // Whoever was away itself, with the database say, judges nobody before the others had time to come back too.
      if (performance.now() - aliveSince > DEAD_MS) await declareDead(db, DEAD_MS)
      for (let more = true; more;) {
        const swept = await transaction(db, sweepSome)
        tellOf(swept.gone)
        more = swept.more
      }
    },
  })

  const telling = createLoop({
    bell: gossip,
    onError,
    async turn(stopping) {
      await gossip.wait(RENEW_MS)
      while (untold.size > 0 && !stopping()) {
        const some = [...untold].slice(0, TELL_AT_ONCE)
        for (const userId of some) untold.delete(userId)
        try {
          for (const { view, audience } of await presenceNews(db, some))
            ephemeral.send(audience, 'presence', view satisfies StreamEventData['presence'])
        } catch (thrown) {
          // What is told is how things are then, so it may be told later.
          tellOf(some)
          throw thrown
        }
      }
    },
  })

  async function end(): Promise<void> {
    unlisten()
    await Promise.all([writing.stop(), sweeping.stop(), telling.stop()])
    // Whoever comes back to another process in time was never away. If this fails, this process will be found dead.
    await endLease(db, instanceId).catch((thrown: unknown) => onError(asError(thrown)))
  }
  let ending: Promise<void> | undefined
  const stop = (): Promise<void> => (ending ??= end())

  return {
    async start() {
      await write()
      for (const loop of [writing, sweeping, telling]) loop.start()
    },
    here: () => here.size,
    tell: tellOf,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
