import type { Queryable, Tx } from '@pando/saga'
import { isUuid, patiently } from '@pando/service'

const PATIENCE_MS = 1_000

/**
 * Whether somebody has a room for a post. The room may have been opened a moment ago, and the news be on its way: for that there is a
 * moment's patience, without a connection.
 */
export async function hasRoom(db: Queryable, postId: string, buyerId: string): Promise<boolean> {
  if (!isUuid(buyerId)) return false
  const found = await patiently(
    PATIENCE_MS,
    () => db.query('select from market.post_room where post_id = $1 and buyer_id = $2', [postId, buyerId]),
    (rows) => rows.length > 0,
  )
  return found.length > 0
}

/** Notes who has a room for which post, as long as there is the post. */
export function saveRooms(tx: Tx, rooms: readonly { postId: string; buyerId: string }[]): void {
  if (rooms.length === 0) return
  // The post's row is locked, so that none comes after its deletion.
  tx.send(
    `insert into market.post_room (post_id, buyer_id)
     select r.post_id, r.buyer_id from unnest($1::uuid[], $2::uuid[]) r(post_id, buyer_id)
     where exists (select from market.post p where p.id = r.post_id for key share) on conflict do nothing`,
    [rooms.map(({ postId }) => postId), rooms.map(({ buyerId }) => buyerId)],
  )
}

/** Forgets the rooms of buyers who have left. */
export function forgetBuyers(tx: Tx, userIds: readonly string[]): void {
  tx.send('delete from market.post_room where buyer_id = any($1::uuid[])', [userIds])
}
