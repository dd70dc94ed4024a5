import type { Tx } from '@pando/saga'
import { RELEASE } from './image.ts'

interface InRoom {
  roomId: string
  imageId: string
}

/** What the chat has told of rooms and their images. */
export interface RoomNews {
  /** Who is in a room now; nobody in one that is deleted. */
  members: ReadonlyMap<string, readonly string[]>
  shared: readonly (InRoom & { userId: string })[]
  withdrawn: readonly InRoom[]
  deleted: readonly string[]
}

/** Follows it: an image belongs to the room where its owner has sent it, until the message or the room is deleted. */
export async function saveRoomNews(tx: Tx, { members, shared, withdrawn, deleted }: RoomNews): Promise<void> {
  if (members.size > 0) saveMembers(tx, members)
  if (shared.length + withdrawn.length + deleted.length === 0) return
  // All at once, in the order in which others lock them.
  await tx.query(
    'select from market.image where id = any($1::uuid[]) or place_id = any($2::uuid[]) order by id for update',
    [[...shared, ...withdrawn].map(({ imageId }) => imageId), deleted],
  )
  // One that a post shows, or that was given up, stays so: then the message shows what is left of it.
  if (shared.length > 0)
    tx.send(
      `update market.image i set scope = 'room', place_id = s.room_id, position = 0
       from unnest($1::uuid[], $2::uuid[], $3::uuid[]) s(id, owner_id, room_id)
       where i.id = s.id and i.owner_id = s.owner_id and i.state = 'stored' and i.scope is null`,
      [shared.map(({ imageId }) => imageId), shared.map(({ userId }) => userId), shared.map(({ roomId }) => roomId)],
    )
  // An image is shared once, so what was shared and withdrawn together is withdrawn.
  if (withdrawn.length + deleted.length > 0)
    tx.send(
      `${RELEASE} where place_id = any($1::uuid[]) or (id, place_id) in (select * from unnest($2::uuid[], $3::uuid[]))`,
      [deleted, withdrawn.map(({ imageId }) => imageId), withdrawn.map(({ roomId }) => roomId)],
    )
}

function saveMembers(tx: Tx, rooms: RoomNews['members']): void {
  const inside = [...rooms].flatMap(([roomId, userIds]) => userIds.map((userId) => ({ roomId, userId })))
  const values = [inside.map(({ roomId }) => roomId), inside.map(({ userId }) => userId)]
  tx.send(
    `delete from market.room_member where room_id = any($3::uuid[])
     and (room_id, user_id) not in (select * from unnest($1::uuid[], $2::uuid[]))`,
    [...values, [...rooms.keys()]],
  )
  tx.send(
    'insert into market.room_member (room_id, user_id) select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing',
    values,
  )
}
