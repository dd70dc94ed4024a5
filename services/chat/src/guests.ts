import type { UserView } from '@pando/events/views'
import type { Tx } from '@pando/saga'
import { isUuid, Problem } from '@pando/service'
import { blockersAmong } from './blocks.ts'
import { friendsAmong } from './friends.ts'
import { shareMembers } from './members.ts'

/** What decides whether somebody may bring others into a room. */
export interface Guests {
  /** The one who brings them, and those of them who are members, by id. */
  members: ReadonlyMap<string, UserView & { isHeld: boolean }>
  friends: ReadonlySet<string>
  blockers: ReadonlySet<string>
}

/** Loads it, and locks the members as `shareMembers` does. Ids that are none are nobody's. */
export async function loadGuests(tx: Tx, userId: string, otherIds: readonly string[]): Promise<Guests> {
  const ids = otherIds.filter(isUuid)
  const [members, friends, blockers] = await Promise.all([
    shareMembers(tx, [userId, ...ids]),
    friendsAmong(tx, userId, ids),
    blockersAmong(tx, userId, ids),
  ])
  return { members, friends, blockers }
}

/** Throws not_found for somebody who is no member, forbidden for one who is no friend or has blocked the one who brings them. */
export function assertInvitable({ members, friends, blockers }: Guests, newcomers: readonly string[]): void {
  const unknown = newcomers.find((id) => !members.has(id))
  if (unknown !== undefined) throw new Problem('not_found', { detail: `There is no user ${unknown}.` })
  const stranger = newcomers.find((id) => !friends.has(id))
  if (stranger !== undefined)
    throw new Problem('forbidden', { detail: `User ${stranger} is no friend of yours: make them one first.` })
  const blocker = newcomers.find((id) => blockers.has(id))
  if (blocker !== undefined) throw new Problem('forbidden', { detail: `User ${blocker} has blocked you.` })
}
