import {
  chatFriendAdded,
  chatFriendRemoved,
  chatMessageCreated,
  chatMessageDeleted,
  chatRoomChanged,
  chatRoomDeleted,
  chatRoomOpened,
  chatRoomRead,
  marketKeywordMatched,
  marketPostStatusChanged,
  marketPostWished,
  marketSagaChanged,
  userDeleted,
  userSagaChanged,
  userSessionsEnded,
} from '@pando/events'
import { type Room, roomViewFor } from '@pando/events/views'
import { closedAmong, on, type Reaction, type Tx } from '@pando/saga'
import { type NewNotification, notify } from './notify.ts'
import { onlineAmong } from './contacts.ts'
import type { Presence } from './presence.ts'
import { loadMembers, saveMembers } from './rooms.ts'
import { tell, type UserStreams } from './stream.ts'

/** Tells everybody in a room what happens in it, each on a stream of their own; and the two of a new room who of them is there. */
export const rooms = (streams: UserStreams, presence: Pick<Presence, 'tell'>): Reaction =>
  on(
    [chatRoomOpened, chatRoomChanged, chatRoomDeleted, chatMessageCreated, chatMessageDeleted, chatRoomRead],
    async (events, tx) => {
      const before = await loadMembers(tx, [...new Set(events.map(({ key }) => key))])
      const members = new Map(before)
      // A seller is in many rooms for one post.
      const told = new Set<string>()
      const acquainted = new Set<string>()
      const tellOfPost = (userIds: Iterable<string>, { id, status }: NonNullable<Room['post']>): void => {
        const news = [...userIds].filter((userId) => !told.has(`${userId} ${id} ${status}`))
        for (const userId of news) told.add(`${userId} ${id} ${status}`)
        tell(streams, tx, news, 'post.changed', { postId: id, status })
      }
      for (const event of events) {
        const roomId = event.key
        switch (event.type) {
          case 'chat.room-opened': {
            const { room, by } = event.data
            members.set(roomId, idsOf(room))
            welcome(streams, tx, { room, newcomers: idsOf(room), by })
            // In a group they are friends of whoever brought them.
            if (room.type !== 'group') for (const userId of idsOf(room)) acquainted.add(userId)
            break
          }
          case 'chat.room-changed': {
            const { room, joined, left, by, only, ofPost } = event.data
            members.set(roomId, idsOf(room))
            welcome(streams, tx, { room, newcomers: joined, by })
            tell(streams, tx, left, 'room.deleted', { roomId, reason: 'left' })
            for (const userId of only === undefined ? idsOf(room).difference(new Set(joined)) : [only])
              tell(streams, tx, [userId], 'room.changed', roomViewFor(room, userId))
            if (ofPost && room.post) tellOfPost(idsOf(room), room.post)
            break
          }
          case 'chat.room-deleted': {
            const { reason, post } = event.data
            tell(streams, tx, members.get(roomId)!, 'room.deleted', { roomId, reason })
            if (post?.buyerId !== undefined && members.get(roomId)!.has(post.buyerId)) {
              const data = { roomId, reason, post: { id: post.id, title: post.title } }
              notify(streams, tx, [{ userId: post.buyerId, type: 'room_deleted', data, url: '/rooms' }])
            }
            members.set(roomId, new Set())
            break
          }
          case 'chat.message-created':
            tell(streams, tx, members.get(roomId)!, 'message.created', event.data.message)
            break
          case 'chat.message-deleted':
            tell(streams, tx, members.get(roomId)!, 'message.deleted', event.data.message)
            break
          case 'chat.room-read':
            tell(streams, tx, members.get(roomId)!, 'room.read', event.data)
            break
        }
      }
      saveMembers(tx, before, members)
      await introduce(tx, presence, [...acquainted])
    },
  )

/** Shows the room to those who have come into it, and notifies those whom somebody else has brought. */
function welcome(
  streams: UserStreams,
  tx: Tx,
  { room, newcomers, by }: { room: Room; newcomers: Iterable<string>; by: string | undefined },
): void {
  const host = room.members.find(({ user }) => user.id === by)?.user
  for (const userId of newcomers) {
    tell(streams, tx, [userId], 'room.opened', roomViewFor(room, userId))
    if (!host || host.id === userId) continue
    const data = {
      roomId: room.id,
      roomType: room.type,
      roomName: room.name,
      by: { id: host.id, displayName: host.displayName },
      ...(room.post && { post: { id: room.post.id, title: room.post.title } }),
    }
    notify(streams, tx, [{ userId, type: 'room_opened', data, url: `/rooms/${room.id}` }])
  }
}

const idsOf = ({ members }: Room): Set<string> => new Set(members.map(({ user }) => user.id))

/** Tells those who are there to the others of these people, who may know of it from now on. */
async function introduce(tx: Tx, presence: Pick<Presence, 'tell'>, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return
  const online = await onlineAmong(tx, userIds)
  if (online.length > 0) tx.afterCommit(() => presence.tell(online))
}

/** Keeps who is whose friend, tells whoever was made one, and both who of them is there. */
export const friends = (streams: UserStreams, presence: Pick<Presence, 'tell'>): Reaction =>
  on([chatFriendAdded, chatFriendRemoved], async (events, tx) => {
    const after = new Map(events.map((event) => [[event.data.userId, event.data.friendId].toSorted().join(), event]))
    const pairs = [...after.values()].flatMap(({ type, data: { userId, friendId } }) =>
      [[userId, friendId] as const, [friendId, userId] as const].map((pair) => ({
        pair,
        isFriend: type === chatFriendAdded.type,
      })),
    )
    const columns = (isFriend: boolean): [string[], string[]] => {
      const some = pairs.filter((one) => one.isFriend === isFriend).map(({ pair }) => pair)
      return [some.map(([userId]) => userId), some.map(([, friendId]) => friendId)]
    }
    tx.send(
      `delete from notification.friend f using unnest($1::uuid[], $2::uuid[]) g(user_id, friend_id)
       where f.user_id = g.user_id and f.friend_id = g.friend_id`,
      columns(false),
    )
    tx.send(
      'insert into notification.friend (user_id, friend_id) select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing',
      columns(true),
    )
    await introduce(tx, presence, columns(true)[0])
    notify(
      streams,
      tx,
      events.flatMap((event) => {
        if (event.type !== 'chat.friend-added') return []
        const { userId, friendId, displayName } = event.data
        return [
          { userId: friendId, type: 'friend_added', data: { user: { id: userId, displayName } }, url: '/friends' },
        ]
      }),
    )
  })

/** Notifies of posts: whoever waits for a word of the title, the seller of a wish, and the buyer when it is sold to them. */
export const posts = (streams: UserStreams): Reaction =>
  on([marketKeywordMatched, marketPostWished, marketPostStatusChanged], async (events, tx) => {
    const made = events.flatMap((event): NewNotification[] => {
      const { postId, title } = event.data
      const url = `/posts/${postId}`
      if (event.type === 'market.keyword-matched') {
        const { userId, keyword } = event.data
        return [{ userId, type: 'keyword_matched', data: { postId, title, keyword }, url }]
      }
      if (event.type === 'market.post-wished') {
        const { sellerId, userId: id, displayName = null } = event.data
        return [{ userId: sellerId, type: 'post_wished', data: { postId, title, user: { id, displayName } }, url }]
      }
      const { status, buyerId } = event.data
      if (status !== 'sold' || buyerId === undefined) return []
      return [{ userId: buyerId, type: 'post_sold', data: { postId, title }, url }]
    })
    // The market may hear later than we do that somebody has left.
    const gone = await closedAmong(
      tx,
      made.map(({ userId }) => userId),
    )
    notify(
      streams,
      tx,
      made.filter(({ userId }) => !gone.has(userId)),
    )
  })

/** Shows users their own sagas; when an account is gone nothing of it stays. */
export const accounts = (streams: UserStreams): Reaction =>
  on([userSagaChanged, marketSagaChanged, userDeleted], async (events, tx) => {
    for (const event of events)
      if (event.type !== 'user.deleted') tell(streams, tx, [event.data.userId], 'saga.changed', event.data.saga)
    const gone = events.filter(({ type }) => type === userDeleted.type).map(({ data }) => data.userId)
    if (gone.length === 0) return
    streams.close(tx, gone)
    // Behind the stream's lock, as whatever changes notifications does it.
    tx.beforeCommit(async () => {
      for (const statement of FORGET) tx.send(statement, [gone])
    })
  })

// Memberships and friendships end with the chat's events about them. The row that says who is online is locked, be it there or not, so
// that nobody comes online in between.
const FORGET = [
  `insert into notification.online (user_id, online, seen_at, changed_at) select id, false, now(), now() from unnest($1::uuid[]) u(id) order by id
   on conflict (user_id) do update set online = false`,
  ...['presence', 'online', 'notification'].map(
    (table) => `delete from notification.${table} where user_id = any($1::uuid[])`,
  ),
]

/** Writes down which sessions have ended, for all processes that hold streams of them. */
export const sessions: Reaction = on([userSessionsEnded], async (events, tx) => {
  const ended = events.flatMap(({ data }) => data.sessionIds.map((sessionId) => ({ sessionId, userId: data.userId })))
  tx.send(
    'insert into notification.ended_session (session_id, user_id) select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing',
    [ended.map(({ sessionId }) => sessionId), ended.map(({ userId }) => userId)],
  )
})
