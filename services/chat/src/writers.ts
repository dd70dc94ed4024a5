import type { Queryable } from '@pando/saga'
import { Problem } from '@pando/service'

/** A user and a room. */
export interface Place {
  roomId: string
  userId: string
}

/** Somebody who is in a room, as far as it decides whether they may write there, or show that they type. */
export interface Writer extends Place {
  displayName: string
  /** The account is being deleted. */
  isHeld: boolean
  /** By the other one of a direct or trade room. */
  isBlocked: boolean
  /** The post of the room is deleted, and the room about to be. */
  isDoomed: boolean
}

export const placeKey = ({ roomId, userId }: Place): string => `${roomId} ${userId}`

/** The users of these places, by placeKey; who is not in the room is missing. */
export async function loadWriters(db: Queryable, places: readonly Place[]): Promise<Map<string, Writer>> {
  const rows = await db.query<Writer>(
    `select p.room_id as "roomId", p.user_id as "userId", m.display_name as "displayName", m.held_by is not null as "isHeld",
       exists (
         select from chat.block b
         where b.user_id = case p.user_id when r.low_id then r.high_id when r.high_id then r.low_id end and b.blocked_id = p.user_id
       ) as "isBlocked",
       exists (select from chat.post t where t.id = r.post_id and t.deleted) as "isDoomed"
     from unnest($1::uuid[], $2::uuid[]) p(room_id, user_id)
     join chat.room r on r.id = p.room_id
     join chat.room_member rm on rm.room_id = p.room_id and rm.user_id = p.user_id and rm.left_at is null
     join chat.member m on m.user_id = p.user_id`,
    [places.map(({ roomId }) => roomId), places.map(({ userId }) => userId)],
  )
  return new Map(rows.map((writer) => [placeKey(writer), writer]))
}

/** Why this one may not write; undefined for one who may. */
export function refusalOf(writer: Writer | undefined): Problem | undefined {
  if (!writer) return new Problem('not_found')
  if (writer.isDoomed) return new Problem('not_found', { detail: 'The post is deleted, and its rooms with it.' })
  if (writer.isHeld) return new Problem('forbidden', { detail: 'Your account is being deleted: it cannot write.' })
  if (writer.isBlocked) return new Problem('forbidden', { detail: 'The other one of this room has blocked you.' })
  return undefined
}
