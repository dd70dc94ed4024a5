import { createBell, createLoop, type Database, type Hub, type Running } from '@pando/saga'

const LOOK_MS = 10_000
/** What was committed that much later than it was begun is still seen. */
const OVERLAP_S = 30
/** Longer than any token of an ended session is good. */
const KEPT_MINUTES = 60

/** Makes up for lost hints: ends the streams of sessions that have ended, whoever ended them and wherever, within 10 s. */
export interface EndedSessions extends Running {
  /** Whether a session has ended, though its token may still be good. */
  has(sessionId: string): Promise<boolean>
  /** Forgets those whose tokens are of no use any more. */
  purge(): Promise<void>
}

export function createEndedSessions(options: {
  db: Database
  hub: Hub
  onError: (error: Error) => void
}): EndedSessions {
  const { db, hub, onError } = options
  const bell = createBell()
  let lookedAt = performance.now()
  const looking = createLoop({
    bell,
    onError,
    async turn() {
      await bell.wait(LOOK_MS)
      const now = performance.now()
      const ended = await db.query<{ userId: string; sessionId: string }>(
        `select user_id as "userId", session_id as "sessionId" from notification.ended_session
         where ended_at > now() - make_interval(secs => $1)`,
        [(now - lookedAt) / 1_000 + OVERLAP_S],
      )
      for (const { userId, sessionId } of ended) hub.end(userId, sessionId)
      lookedAt = now
    },
  })
  return {
    ...looking,
    async has(sessionId) {
      const found = await db.query('select from notification.ended_session where session_id = $1', [sessionId])
      return found.length > 0
    },
    async purge() {
      await db.query('delete from notification.ended_session where ended_at < now() - make_interval(mins => $1)', [
        KEPT_MINUTES,
      ])
    },
  }
}
