// What clients see of rooms, messages and notifications, in answers and on their streams: one shape, whichever service shows it.
// A title is the name in the OpenAPI document, and of the type in the web app.
import { type Static, type TSchema, Type } from 'typebox'

const Id = Type.String()
const Time = Type.String({ format: 'date-time' })
const Seq = Type.Integer({ minimum: 0 })
const orNull = <T extends TSchema & { type: string }>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })

/** What others see of a user. */
export const UserView = Type.Object(
  { id: Id, username: Type.String(), displayName: Type.String(), statusMessage: Type.String() },
  { title: 'User' },
)
export type UserView = Static<typeof UserView>

/** What a message shows of somebody: the name is the one of that moment. */
export const SenderView = Type.Object({ id: Id, displayName: Type.String() }, { title: 'Sender' })
export type SenderView = Static<typeof SenderView>

/** What a room says of itself: who came or went, and who did it; or what has become of its post. */
export const SystemView = Type.Object(
  {
    code: Type.Enum(['member_joined', 'member_left', 'post_reserved', 'post_sold', 'post_reopened']),
    /** Whom it is about: who came or went. */
    users: Type.Array(SenderView),
    by: Type.Optional(SenderView),
  },
  { title: 'SystemText' },
)
export type SystemView = Static<typeof SystemView>

/** A message; `seq` is dense in its room, from 1. A tombstone has `deletedAt`, and no text or image. */
export const MessageView = Type.Object(
  {
    roomId: Id,
    seq: Seq,
    sender: orNull(SenderView),
    kind: Type.Enum(['text', 'image', 'system']),
    text: orNull(Type.String()),
    imageId: Type.Optional(Id),
    system: Type.Optional(SystemView),
    clientMessageId: Type.Optional(Id),
    createdAt: Time,
    deletedAt: orNull(Time),
  },
  { title: 'Message' },
)
export type MessageView = Static<typeof MessageView>

const PostStatus = Type.Enum(['open', 'reserved', 'sold'], { title: 'PostStatus' })
const PostSummary = Type.Object({ id: Id, title: Type.String(), status: PostStatus }, { title: 'PostSummary' })
const roomOf = {
  id: Id,
  type: Type.Enum(['direct', 'group', 'trade']),
  name: orNull(Type.String()),
  /** What a trade room is about. */
  post: Type.Optional(PostSummary),
}
const Place = { user: UserView, lastReadSeq: Seq }

/** A room as its members share it, with what each of them has set for themselves. */
export const Room = Type.Object({
  ...roomOf,
  members: Type.Array(Type.Object({ ...Place, muted: Type.Boolean() })),
  lastMessage: orNull(MessageView),
  lastSeq: Seq,
})
export type Room = Static<typeof Room>

/** A room as one of its members sees it. */
export const RoomView = Type.Object(
  {
    ...roomOf,
    members: Type.Array(Type.Object(Place)),
    lastMessage: orNull(MessageView),
    lastSeq: Seq,
    lastReadSeq: Seq,
    unread: Seq,
    muted: Type.Boolean(),
  },
  { title: 'Room' },
)
export type RoomView = Static<typeof RoomView>

/** The room as a member sees it. Throws RangeError for somebody who is no member. */
export function roomViewFor(room: Room, userId: string): RoomView {
  const own = room.members.find(({ user }) => user.id === userId)
  if (!own) throw new RangeError(`${userId} is no member of room ${room.id}`)
  const { members, ...shared } = room
  return {
    ...shared,
    members: members.map(({ user, lastReadSeq }) => ({ user, lastReadSeq })),
    lastReadSeq: own.lastReadSeq,
    unread: room.lastSeq - own.lastReadSeq,
    muted: own.muted,
  }
}

/** A notification: `data` as its type says, `url` the page that it leads to. */
export const NotificationView = Type.Object(
  {
    id: Id,
    type: Type.Enum(['keyword_matched', 'post_wished', 'post_sold', 'room_opened', 'room_deleted', 'friend_added']),
    data: Type.Record(Type.String(), Type.Unknown()),
    url: Type.String(),
    createdAt: Time,
    readAt: orNull(Time),
  },
  { title: 'Notification' },
)
export type NotificationView = Static<typeof NotificationView>

/** Whether somebody has an open stream, and when they last had one. */
export const PresenceView = Type.Object(
  { userId: Id, online: Type.Boolean(), lastSeenAt: orNull(Time) },
  { title: 'Presence' },
)
export type PresenceView = Static<typeof PresenceView>
