import type { Bell, Cause, Envelope, Tx } from '@pando/saga'

/** Work that is done some at a time, and how far it is. */
export interface Chore {
  /** The id of a user or, to drop it, of a room, or of a post. */
  about: string
  kind: 'show' | 'erase' | 'drop' | 'cascade'
  roomId: string | null
  seq: number
  /** So many are deleted so far. */
  rooms: number
  messages: number
  /** The event that asked for it, as JSON. */
  cause: string | null
}

/** What one transaction of a chore leads to: how far it is, or that nothing is left to do. */
export type Progress = (Pick<Chore, 'roomId' | 'seq'> & Partial<Pick<Chore, 'rooms' | 'messages'>>) | 'done'

/** So many rows at most are changed by one transaction of a chore. */
export const ROWS_AT_ONCE = 500

/** Rung when there is something to do. */
export type ChoreBell = Pick<Bell, 'ring'>

/** Adds chores of a kind, each about something else, or begins again those that are there. The bell is rung when they are committed. */
export function addChores(
  tx: Tx,
  bell: ChoreBell,
  kind: Chore['kind'],
  chores: readonly { about: string; cause?: Envelope }[],
): void {
  if (chores.length === 0) return
  tx.send(
    `insert into chat.chore (about, kind, cause) select about, $2, cause from unnest($1::uuid[], $3::text[]) c(about, cause) order by about
     on conflict (about, kind) do update set room_id = null, seq = 0, rooms = 0, messages = 0, cause = excluded.cause, due_at = now()`,
    [chores.map(({ about }) => about), kind, chores.map(({ cause }) => cause && JSON.stringify(cause))],
  )
  tx.afterCommit(() => bell.ring())
}

/** What the events of a chore answer. */
export function causeOf({ cause }: Chore): Cause {
  return cause === null ? {} : { causedBy: JSON.parse(cause) as Envelope }
}
