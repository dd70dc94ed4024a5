// What GET /api/stream tells a user, by the names of its events. Those without an id are told to whoever listens and kept nowhere.
import { type Static, type TSchema, Type } from 'typebox'
import { MessageView, NotificationView, PresenceView, RoomView } from './views.ts'

const Id = Type.String()

export const STREAM_EVENTS = {
  'message.created': MessageView,
  /** The tombstone. */
  'message.deleted': MessageView,
  'room.opened': RoomView,
  'room.changed': RoomView,
  'room.read': Type.Object({ roomId: Id, userId: Id, lastReadSeq: Type.Integer() }),
  'room.deleted': Type.Object({ roomId: Id, reason: Type.String() }),
  /** Of a post that the user has a room for. */
  'post.changed': Type.Object({ postId: Id, status: Type.Enum(['open', 'reserved', 'sold']) }),
  'notification.created': NotificationView,
  'notification.read': Type.Object({ unread: Type.Integer() }),
  /** The view of one of the user's own sagas. */
  'saga.changed': Type.Object({
    id: Id,
    type: Type.String(),
    status: Type.String(),
    version: Type.Integer(),
    steps: Type.Record(Type.String(), Type.Unknown()),
  }),
  typing: Type.Object({ roomId: Id, userId: Id }),
  presence: PresenceView,
} as const satisfies Record<string, TSchema>

export type StreamEventType = keyof typeof STREAM_EVENTS
export type StreamEventData = { [Type in StreamEventType]: Static<(typeof STREAM_EVENTS)[Type]> }
