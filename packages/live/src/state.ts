import type { MessageView, NotificationView, RoomView } from '@pando/events/views'
import type { LiveEvent } from './connection.ts'
import { parseCursor } from './cursor.ts'

// State plus events is what a fresh fetch would bring. All of these are pure, and give back the very same object when nothing has changed.
// An event may be in the state already, because it came while the state was being fetched: seqs never go back, and a tombstone stays one.

/** All rooms of the user `me`, in the order of `GET /api/rooms`, after an event. */
export function applyToRooms(rooms: readonly RoomView[], event: LiveEvent, me: string): readonly RoomView[] {
  const { type, data } = event
  if (type === 'room.deleted') {
    return rooms.some(({ id }) => id === data.roomId) ? rooms.filter(({ id }) => id !== data.roomId) : rooms
  }
  if (type === 'room.opened' && !rooms.some(({ id }) => id === data.id)) return inOrder([...rooms, data])
  const id = type === 'room.opened' || type === 'room.changed' ? data.id : 'roomId' in data ? data.roomId : undefined
  const before = rooms.find((room) => room.id === id)
  const after = before && applyToRoom(before, event, me)
  if (after === before) return rooms
  return inOrder(rooms.map((room) => (room === before ? after! : room)))
}

function applyToRoom(room: RoomView, { type, data }: LiveEvent, me: string): RoomView {
  if (type === 'room.opened' || type === 'room.changed') return shown(room, data)
  if (type === 'room.read') return read(room, data.userId, data.lastReadSeq, me)
  if (type !== 'message.created' && type !== 'message.deleted') return room
  const newer = newerOf(room.lastMessage, data)
  const isNews = newer !== room.lastMessage
  const after = isNews ? counted({ ...room, lastMessage: newer, lastSeq: Math.max(room.lastSeq, newer.seq) }) : room
  // Whoever sends has read up to there.
  return type === 'message.created' && data.sender ? read(after, data.sender.id, data.seq, me) : after
}

/** The room as it is shown in `view`, which may be older than what is known of its messages. */
function shown(room: RoomView, view: RoomView): RoomView {
  const readBefore = new Map(room.members.map(({ user, lastReadSeq }) => [user.id, lastReadSeq]))
  const after = counted({
    ...view,
    members: view.members.map(({ user, lastReadSeq }) => ({
      user,
      lastReadSeq: Math.max(lastReadSeq, readBefore.get(user.id) ?? 0),
    })),
    lastMessage: view.lastMessage ? newerOf(room.lastMessage, view.lastMessage) : room.lastMessage,
    lastSeq: Math.max(room.lastSeq, view.lastSeq),
    lastReadSeq: Math.max(room.lastReadSeq, view.lastReadSeq),
  })
  return JSON.stringify(after) === JSON.stringify(room) ? room : after
}

function read(room: RoomView, userId: string, seq: number, me: string): RoomView {
  const isBehind = (member: RoomView['members'][number]): boolean =>
    member.user.id === userId && member.lastReadSeq < seq
  const moves = userId === me && room.lastReadSeq < seq
  if (!moves && !room.members.some(isBehind)) return room
  const members = room.members.map((member) => (isBehind(member) ? { ...member, lastReadSeq: seq } : member))
  return counted({ ...room, members, lastReadSeq: moves ? seq : room.lastReadSeq })
}

const counted = (room: RoomView): RoomView => ({ ...room, unread: Math.max(0, room.lastSeq - room.lastReadSeq) })

/** The messages of one room, oldest first and up to its newest, after an event. What is older than the first of them is left out. */
export function applyToMessages(
  messages: readonly MessageView[],
  event: LiveEvent,
  roomId: string,
): readonly MessageView[] {
  const { type, data } = event
  if ((type !== 'message.created' && type !== 'message.deleted') || data.roomId !== roomId) return messages
  const last = messages.at(-1)?.seq ?? 0
  if (data.seq === last + 1) return [...messages, data]
  const at = messages.findIndex(({ seq }) => seq === data.seq)
  const before = messages[at]
  return before && newerOf(before, data) !== before ? messages.with(at, data) : messages
}

/** Of two messages the one with the higher seq; of the same one twice, what is left of it. */
function newerOf(known: MessageView | null, other: MessageView): MessageView {
  if (!known || other.seq > known.seq) return other
  return other.seq === known.seq && erased(other) > erased(known) ? other : known
}

/** A sender who deletes a message is still shown; when the account is gone, nobody is. */
const erased = ({ deletedAt, sender }: MessageView): number => (deletedAt === null ? 0 : sender ? 1 : 2)

// Activity is the last message, or else the opening, which a room's id (a UUIDv7) tells.
const activeAt = ({ id, lastMessage }: RoomView): number =>
  lastMessage ? Date.parse(lastMessage.createdAt) : parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

const inOrder = (rooms: RoomView[]): RoomView[] =>
  rooms.sort((a, b) => activeAt(b) - activeAt(a) || (a.id < b.id ? 1 : -1))

/** What the badge and the list of notifications need. */
export interface NotificationState {
  /** Newest first. */
  readonly items: readonly NotificationView[]
  readonly unread: number
  /** From `GET /api/notifications/summary`, fetched before the items: what stands in the stream up to there is known. */
  readonly cursor: string
}

/**
 * Notifications after an event. `unread` is exact; which of the items were read is not told, so a list that is on screen is fetched anew
 * after `notification.read`.
 */
export function applyToNotifications(state: NotificationState, { type, data, id }: LiveEvent): NotificationState {
  if (type !== 'notification.created' && type !== 'notification.read') return state
  const [known, here] = [parseCursor(state.cursor), parseCursor(id)]
  if (id === undefined || (known && here?.epoch === known.epoch && here.seq <= known.seq)) return state
  if (type === 'notification.read') return { ...state, unread: data.unread, cursor: id }
  const isNew = !state.items.some((item) => item.id === data.id)
  return { items: isNew ? [data, ...state.items] : state.items, unread: state.unread + 1, cursor: id }
}
