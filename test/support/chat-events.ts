// Says what the chat says, without its routes: for tests of whoever hears it.
import { randomUUID } from 'node:crypto'
import { chatFriendAdded, chatMessageCreated, chatRoomChanged, chatRoomDeleted, chatRoomOpened } from '@pando/events'
import type { MessageView, Room } from '@pando/events/views'
import { append, type Database, type NewEvent, transaction } from '@pando/saga'
import type { Person } from './people.ts'

/** Says these events in one transaction. `chat` is the service's own database object, so that its relay wakes at once. */
export function say(chat: Database, ...events: readonly NewEvent[]): Promise<void> {
  return transaction(chat, async (tx) => {
    for (const event of events) append(tx, event)
  })
}

/** The first makes the second a friend. */
export function friendAdded({ id, displayName }: Person, friend: Person): NewEvent {
  return chatFriendAdded({ userId: id, friendId: friend.id, displayName })
}

/** A group room with nothing in it. */
export function roomOf(people: readonly Person[], id: string = randomUUID()): Room {
  const members = people.map(({ id: userId, username, displayName }) => ({
    user: { id: userId, username, displayName, statusMessage: '' },
    lastReadSeq: 0,
    muted: false,
  }))
  return { id, type: 'group', name: 'Room', members, lastMessage: null, lastSeq: 0 }
}

export const roomOpened = (room: Room, by: Person): NewEvent => chatRoomOpened({ room, by: by.id })

/** The room has these members now; `by` brought those who joined. */
export function membersChanged(room: Room, people: readonly Person[], by: Person): NewEvent {
  const after = roomOf(people, room.id)
  const [old, now] = [room, after].map(({ members }) => new Set(members.map(({ user }) => user.id)))
  return chatRoomChanged({
    room: after,
    joined: [...now!.difference(old!)],
    left: [...old!.difference(now!)],
    by: by.id,
  })
}

export const roomDeleted = (room: Room): NewEvent => chatRoomDeleted({ roomId: room.id, reason: 'empty' })

/** A text message with this seq. */
export function messageCreated(roomId: string, seq: number, { id, displayName }: Person): NewEvent {
  const message: MessageView = {
    roomId,
    seq,
    sender: { id, displayName },
    kind: 'text',
    text: `message ${seq} 🌱`,
    clientMessageId: randomUUID(),
    createdAt: new Date().toISOString(),
    deletedAt: null,
  }
  return chatMessageCreated({ message })
}
