import { randomUUIDv7 } from 'node:crypto'
import { chatRoomChanged, chatRoomOpened } from '@pando/events'
import { type RoomView, roomViewFor } from '@pando/events/views'
import { append, type Database, type Queryable, retryOnConflict, transaction, type Tx } from '@pando/saga'
import { Problem, timeOf } from '@pando/service'
import { assertNotBlocked } from './blocks.ts'
import { assertInvitable, loadGuests } from './guests.ts'
import { actorAmong, shareMembers } from './members.ts'
import { findPost, sharePost } from './posts.ts'
import { loadRoom, loadRooms, lockRoomFor } from './room.ts'

/** Who does something, and in which trace. */
export interface Actor {
  userId: string
  traceparent?: string | undefined
}

/** A room that was asked for, as the one who asked sees it; `isNew`: it was opened for that. */
export interface Opened {
  room: RoomView
  isNew: boolean
}

/**
 * The direct room of the user and the other one, of which there is one at most: it is opened, or found. Throws not_found for somebody
 * who is no member, and forbidden when they have blocked the user, or the user's account is being deleted.
 */
export function openDirect(db: Database, { userId, traceparent }: Actor, otherId: string): Promise<Opened> {
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const members = await shareMembers(tx, [userId, otherId])
      actorAmong(members, userId)
      if (!members.has(otherId)) throw new Problem('not_found', { detail: `There is no user ${otherId}.` })
      await assertNotBlocked(tx, { userId, otherId })
      const pair = [userId, otherId].toSorted()
      const id = randomUUIDv7()
      // Of two at once the second waits here, and finds the first one's room below.
      const added = await tx.query(
        `insert into chat.room (id, type, low_id, high_id, active_at) values ($1, 'direct', $2, $3, $4)
         on conflict (low_id, high_id) where type = 'direct' do nothing returning 1`,
        [id, ...pair, timeOf(id)],
      )
      if (added.length > 0) return { room: await settleIn(tx, { userId, traceparent }, id, pair), isNew: true }
      const [found] = await tx.query<{ id: string }>(
        `select id from chat.room where low_id = $1 and high_id = $2 and type = 'direct'`,
        pair,
      )
      return { room: roomViewFor(await loadRoom(tx, found!.id), userId), isNew: false }
    }),
  )
}

/**
 * A new group of the user and these friends. Throws not_found for somebody who is no member, validation_failed when nobody but the user
 * is named, and forbidden for somebody who is no friend or has blocked the user, or when the user's account is being deleted.
 */
export async function openGroup(
  db: Database,
  actor: Actor,
  { name, userIds }: { name: string; userIds: readonly string[] },
): Promise<RoomView> {
  const others = [...new Set(userIds)].filter((id) => id !== actor.userId)
  if (others.length === 0)
    throw new Problem('validation_failed', { errors: [{ path: '/userIds', message: 'names nobody but oneself' }] })
  return await retryOnConflict(() =>
    transaction(db, async (tx) => {
      const guests = await loadGuests(tx, actor.userId, others)
      actorAmong(guests.members, actor.userId)
      assertInvitable(guests, others)
      const id = randomUUIDv7()
      tx.send(`insert into chat.room (id, type, name, active_at) values ($1, 'group', $2, $3)`, [id, name, timeOf(id)])
      return await settleIn(tx, actor, id, [actor.userId, ...others])
    }),
  )
}

/**
 * The room of the user and the seller of a post, of which there is one at most: it is opened, or found, whatever has become of the post.
 * Throws not_found for no post, or one whose seller is leaving, forbidden for one's own and when the seller has blocked the user, or the
 * user's account is being deleted; post_not_open when it is reserved or sold.
 */
export async function openTrade(db: Database, { userId, traceparent }: Actor, postId: string): Promise<Opened> {
  const gone = (): Problem => new Problem('not_found', { detail: `There is no post ${postId}.` })
  const known = await findPost(db, postId)
  if (!known || known.deleted) throw gone()
  const { sellerId } = known
  if (sellerId === userId) throw new Problem('forbidden', { detail: 'This is your own post.' })
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const members = await shareMembers(tx, [userId, sellerId])
      actorAmong(members, userId)
      const post = await sharePost(tx, postId)
      const seller = members.get(sellerId)
      if (!post || post.deleted || !seller || seller.isHeld) throw gone()
      const found = await findTrade(tx, postId, userId)
      if (found) return { room: roomViewFor(await loadRoom(tx, found), userId), isNew: false }
      await assertNotBlocked(tx, { userId, otherId: sellerId })
      if (post.status !== 'open') throw new Problem('post_not_open', { detail: `The post is ${post.status}.` })
      const id = randomUUIDv7()
      const pair = [userId, sellerId].toSorted()
      // Of two at once the second waits here, and finds the first one's room below.
      const added = await tx.query(
        `insert into chat.room (id, type, post_id, buyer_id, low_id, high_id, active_at) values ($1, 'trade', $2, $3, $4, $5, $6)
         on conflict (post_id, buyer_id) where type = 'trade' do nothing returning 1`,
        [id, postId, userId, ...pair, timeOf(id)],
      )
      if (added.length > 0)
        return { room: await settleIn(tx, { userId, traceparent }, id, [userId, sellerId]), isNew: true }
      const first = await findTrade(tx, postId, userId)
      return { room: roomViewFor(await loadRoom(tx, first!), userId), isNew: false }
    }),
  )
}

async function findTrade(tx: Tx, postId: string, buyerId: string): Promise<string | undefined> {
  const [room] = await tx.query<{ id: string }>(
    `select id from chat.room where post_id = $1 and buyer_id = $2 and type = 'trade'`,
    [postId, buyerId],
  )
  return room?.id
}

/** Puts its first members into a room that this transaction has made, and tells of it. */
async function settleIn(
  tx: Tx,
  { userId, traceparent }: Actor,
  roomId: string,
  userIds: readonly string[],
): Promise<RoomView> {
  tx.send('insert into chat.room_member (room_id, user_id) select $1, unnest($2::uuid[])', [roomId, userIds])
  const room = await loadRoom(tx, roomId)
  append(tx, chatRoomOpened({ room, by: userId }), { traceparent })
  return roomViewFor(room, userId)
}

/** The room as the user sees it. Throws not_found for somebody who is not in it. */
export async function findRoom(db: Queryable, { userId }: Actor, roomId: string): Promise<RoomView> {
  const room = (await loadRooms(db, [roomId])).get(roomId)
  if (!room?.members.some(({ user }) => user.id === userId)) throw new Problem('not_found')
  return roomViewFor(room, userId)
}

/** Whether the user wants to hear of the room; only they are told. Throws not_found for somebody who is not in it. */
export function muteRoom(
  db: Database,
  { userId, traceparent }: Actor,
  { roomId, muted }: { roomId: string; muted: boolean },
): Promise<RoomView> {
  return transaction(db, async (tx) => {
    await lockRoomFor(tx, roomId, userId)
    const changed = await tx.query(
      'update chat.room_member set muted = $3 where room_id = $1 and user_id = $2 and muted <> $3 returning 1',
      [roomId, userId, muted],
    )
    const room = await loadRoom(tx, roomId)
    if (changed.length > 0) append(tx, chatRoomChanged({ room, joined: [], left: [], only: userId }), { traceparent })
    return roomViewFor(room, userId)
  })
}
