// What a client shows: state that was fetched, and the events of the user's stream applied to it, as packages/live does.
import { setTimeout as delay } from 'node:timers/promises'
import type { MessageView, NotificationView, RoomView } from '@pando/events/views'
import {
  applyToMessages,
  applyToNotifications,
  applyToRooms,
  type LiveEvent,
  type NotificationState,
} from '@pando/live'
import type { Client } from './client.ts'
import type { ServerEvent } from './sse.ts'
import type { UserStream } from './user-stream.ts'

export interface UserState {
  rooms: readonly RoomView[]
  /** By room, oldest first. */
  messages: ReadonlyMap<string, readonly MessageView[]>
  notifications: NotificationState
}

/** Fetches all there is: every page of every list. */
export async function fetchState(client: Client): Promise<UserState> {
  const summary = await must<{ unread: number; cursor: string }>(client, '/api/notifications/summary')
  const items = await pages<NotificationView>(client, '/api/notifications?limit=100')
  const rooms = await pages<RoomView>(client, '/api/rooms?limit=100')
  const messages = new Map<string, MessageView[]>()
  for (const { id } of rooms) messages.set(id, await messagesOf(client, id))
  return { rooms, messages, notifications: { ...summary, items } }
}

/** A client's state that is kept by its stream, from a fetch on. Events that came since the fetch began are applied, some of them again. */
export async function startModel(client: Client, me: string, stream: UserStream): Promise<() => UserState> {
  const from = stream.stored().length
  const fetched = await fetchState(client)
  return () =>
    stream
      .stored()
      .slice(from)
      .map(liveEvent)
      .reduce((state, event) => apply(state, event, me), fetched)
}

const liveEvent = ({ id, event, data }: ServerEvent): LiveEvent =>
  ({ type: event, data: JSON.parse(data), id }) as LiveEvent

function apply(state: UserState, event: LiveEvent, me: string): UserState {
  const rooms = applyToRooms(state.rooms, event, me)
  // Of a room that is come into, what was said before is fetched when somebody looks.
  const begun = event.type === 'room.opened' && event.data.lastSeq === 0 ? event.data.id : undefined
  const messages = new Map<string, readonly MessageView[]>()
  for (const { id } of rooms) {
    const before = state.messages.get(id) ?? (id === begun ? [] : undefined)
    if (before) messages.set(id, applyToMessages(before, event, id))
  }
  return { rooms, messages, notifications: applyToNotifications(state.notifications, event) }
}

/** Of two states what they must have in common. Of notifications the events tell the count; of messages, those of rooms that are loaded. */
export function common(model: UserState, fetched: UserState): [model: unknown, fetched: unknown] {
  const ids = [...model.messages.keys()].toSorted()
  const [a, b] = [model, fetched].map(({ rooms, messages, notifications: { unread } }) => ({
    rooms,
    messages: ids.map((id) => [id, messages.get(id)]),
    unread,
  }))
  return [a, b]
}

async function messagesOf(client: Client, roomId: string): Promise<MessageView[]> {
  const found: MessageView[] = []
  for (let after: number | null = 0; after !== null;) {
    const path: string = `/api/rooms/${roomId}/messages?after=${after}&limit=100`
    const answer = await client.get<{ items: MessageView[]; next: number | null }>(path)
    // Left, or dropped, since the list of rooms was read: the stream tells.
    if (answer.status === 404) return []
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    found.push(...answer.body.items)
    after = answer.body.next
  }
  return found
}

async function pages<T>(client: Client, path: string): Promise<T[]> {
  const items: T[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: { items: T[]; next: string | null } = await must(client, `${path}${cursor && `&cursor=${cursor}`}`)
    items.push(...page.items)
    cursor = page.next
  }
  return items
}

async function must<Body>(client: Client, path: string): Promise<Body> {
  for (;;) {
    const answer = await client.get<Body>(path)
    if (answer.status === 200) return answer.body
    if (answer.status !== 503) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    await delay(50)
  }
}
