import { Type } from 'typebox'
import { postEvent, Refusal, roomEvent, User, userEvent } from './event.ts'
import { MessageView, Room } from './views.ts'

/** The user has a place in the chat. */
export const chatMemberAdded = userEvent('chat.member-added', Type.Object(User))
/** The chat cannot do its part for this user. */
export const chatMemberRefused = userEvent('chat.member-refused', Type.Object(Refusal))
/** The member cannot write any more; nothing is removed. */
export const chatMemberSuspended = userEvent('chat.member-suspended', Type.Object(User))
/** The member is as before. */
export const chatMemberRestored = userEvent('chat.member-restored', Type.Object(User))
/** Nothing of the member is left in the chat. */
export const chatMemberRemoved = userEvent('chat.member-removed', Type.Object(User))

const Id = Type.String({ format: 'uuid' })
const Count = Type.Integer({ minimum: 0 })
// Whoever of the two did it, everything about a friendship keeps its order.
const friendshipOf = ({ userId, friendId }: { userId: string; friendId: string }): string =>
  userId < friendId ? userId : friendId

/** `userId` has made a friend, so that both are friends of each other; the name is that of `userId`. */
export const chatFriendAdded = roomEvent(
  'chat.friend-added',
  Type.Object({ userId: Id, friendId: Id, displayName: Type.String() }),
  friendshipOf,
)
/** The two are friends no longer. */
export const chatFriendRemoved = roomEvent(
  'chat.friend-removed',
  Type.Object({ userId: Id, friendId: Id }),
  friendshipOf,
)

/** There is a room, opened by `by`, with these members. */
export const chatRoomOpened = roomEvent('chat.room-opened', Type.Object({ room: Room, by: Id }), ({ room }) => room.id)
/**
 * The room is as it is shown here now. `joined` are those of its members who were none before, brought by `by`; `left` were members.
 * With `only` the change concerns nobody but that member. With `ofPost` it is the status of the room's post that has changed.
 */
export const chatRoomChanged = roomEvent(
  'chat.room-changed',
  Type.Object({
    room: Room,
    joined: Type.Array(Id),
    left: Type.Array(Id),
    by: Type.Optional(Id),
    only: Type.Optional(Id),
    ofPost: Type.Optional(Type.Boolean()),
  }),
  ({ room }) => room.id,
)
/** The room is gone, with all its messages. With the post that it was about went the room of this buyer. */
export const chatRoomDeleted = roomEvent(
  'chat.room-deleted',
  Type.Object({
    roomId: Id,
    reason: Type.String({ minLength: 1, maxLength: 64 }),
    post: Type.Optional(Type.Object({ id: Id, title: Type.String(), buyerId: Type.Optional(Id) })),
  }),
  ({ roomId }) => roomId,
)
/** Of this post's rooms nothing is left: so many rooms and messages were deleted. */
export const chatPostRoomsDeleted = postEvent(
  'chat.post-rooms-deleted',
  Type.Object({ postId: Id, rooms: Count, messages: Count }),
)
/** A message is stored. Whoever sent it has read up to it. */
export const chatMessageCreated = roomEvent(
  'chat.message-created',
  Type.Object({ message: MessageView }),
  ({ message }) => message.roomId,
)
/** Of the message there is only this tombstone. */
export const chatMessageDeleted = roomEvent(
  'chat.message-deleted',
  Type.Object({ message: MessageView }),
  ({ message }) => message.roomId,
)
/** A member has read the room up to this seq. */
export const chatRoomRead = roomEvent(
  'chat.room-read',
  Type.Object({ roomId: Id, userId: Id, lastReadSeq: Type.Integer({ minimum: 1 }) }),
  ({ roomId }) => roomId,
)
/** A message of this user's shows an image, and no other message does: the members of the room may see it. */
export const chatImageShared = roomEvent(
  'chat.image-shared',
  Type.Object({ roomId: Id, imageId: Id, userId: Id }),
  ({ roomId }) => roomId,
)
/** The message that showed the image is a tombstone: nobody needs the image any more. */
export const chatImageWithdrawn = roomEvent(
  'chat.image-withdrawn',
  Type.Object({ roomId: Id, imageId: Id }),
  ({ roomId }) => roomId,
)
