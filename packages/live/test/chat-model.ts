// What the chat does with rooms, in memory: which events one user is told, and what a fetch would bring at any moment.
import type { LiveEvent, LiveEventOf } from '../src/connection.ts'
import type { MessageView, Room, RoomView, UserView } from '@pando/events/views'
import { roomViewFor } from '@pando/events/views'
import type { StreamEventType } from '@pando/events/stream'

export const ME = 'me'
const PEOPLE = [ME, 'ann', 'bob', 'cho']
const START = Date.parse('2026-01-01T00:00:00.000Z')

export interface Step {
  does: 'open' | 'send' | 'delete' | 'read' | 'leave' | 'join' | 'rename' | 'mute' | 'erase' | 'remove'
  who: number
  which: number
  seq: number
}

export interface Snapshot {
  /** How many events tell of what is in it. */
  after: number
  rooms: readonly RoomView[]
  /** By room. */
  messages: ReadonlyMap<string, readonly MessageView[]>
}

/** The events that these steps make, and what fetches bring: before them, and after each transaction. */
export function play(steps: readonly Step[]): { events: LiveEvent[]; snapshots: Snapshot[] } {
  const rooms = new Map<string, Room & { activeAt: number }>()
  const messages = new Map<string, MessageView[]>()
  const names = new Map(PEOPLE.map((id) => [id, `${id} 0`]))
  const erased = new Set<string>()
  const events: LiveEvent[] = []
  const snapshots: Snapshot[] = []
  let now = START

  const userOf = (id: string): UserView => ({ id, username: id, displayName: names.get(id)!, statusMessage: '' })
  const isIn = (room: Room, id: string): boolean => room.members.some(({ user }) => user.id === id)
  function tell<Type extends StreamEventType>(type: Type, data: LiveEventOf<Type>['data']): void {
    const event = { type, data: structuredClone(data), id: `e0-${events.length + 1}` }
    events.push(event as unknown as LiveEvent)
  }
  const tellRoom = (room: Room): void => {
    if (isIn(room, ME)) tell('room.changed', viewOf(room))
  }
  const viewOf = (room: Room): RoomView => {
    const { activeAt: _, ...shared } = room as Room & { activeAt: number }
    return structuredClone(roomViewFor(shared, ME))
  }
  const commit = (): unknown =>
    snapshots.push({
      after: events.length,
      rooms: [...rooms.values()]
        .filter((room) => isIn(room, ME))
        .sort((a, b) => b.activeAt - a.activeAt)
        .map(viewOf),
      messages: structuredClone(messages),
    })

  function put(room: Room & { activeAt: number }, message: Partial<MessageView>): void {
    room.lastSeq++
    room.activeAt = now
    const whole: MessageView = {
      roomId: room.id,
      seq: room.lastSeq,
      sender: null,
      kind: 'text',
      text: null,
      createdAt: new Date(now).toISOString(),
      deletedAt: null,
      ...message,
    }
    messages.get(room.id)!.push(whole)
    room.lastMessage = whole
    const place = room.members.find(({ user }) => user.id === whole.sender?.id)
    if (place) place.lastReadSeq = whole.seq
    if (isIn(room, ME)) tell('message.created', whole)
  }

  function bury(room: Room, seq: number, { isGone = false } = {}): void {
    const list = messages.get(room.id)!
    const { imageId: _, system: __, ...before } = list[seq - 1]!
    const tombstone = { ...before, text: null, deletedAt: new Date(now).toISOString(), ...(isGone && { sender: null }) }
    list[seq - 1] = tombstone
    if (room.lastSeq === seq) room.lastMessage = tombstone
    if (isIn(room, ME)) tell('message.deleted', tombstone)
  }

  commit()
  for (const { does, who, which, seq } of steps) {
    now += 1 + seq
    const id = PEOPLE[who % PEOPLE.length]!
    const room = [...rooms.values()][which % Math.max(1, rooms.size)]
    if (does === 'open') {
      const stamp = now.toString(16).padStart(12, '0')
      const fresh: Room & { activeAt: number } = {
        id: `${stamp.slice(0, 8)}-${stamp.slice(8)}-7000-8000-${String(rooms.size).padStart(12, '0')}`,
        type: 'group',
        name: `room ${rooms.size}`,
        members: PEOPLE.slice(0, 2 + (which % 3))
          .filter((one) => !erased.has(one))
          .map((one) => ({ user: userOf(one), lastReadSeq: 0, muted: false })),
        lastMessage: null,
        lastSeq: 0,
        activeAt: now,
      }
      rooms.set(fresh.id, fresh)
      messages.set(fresh.id, [])
      tell('room.opened', viewOf(fresh))
    } else if (!room) continue
    else if (does === 'send' && isIn(room, id))
      put(room, { sender: { id, displayName: names.get(id)! }, text: `${now}` })
    else if (does === 'delete' && room.lastSeq > 0) {
      const at = 1 + (seq % room.lastSeq)
      const { deletedAt, kind } = messages.get(room.id)![at - 1]!
      if (deletedAt === null && kind === 'text') bury(room, at)
    } else if (does === 'read' && isIn(room, id) && room.lastSeq > 0) {
      const place = room.members.find(({ user }) => user.id === id)!
      const to = 1 + (seq % room.lastSeq)
      if (to <= place.lastReadSeq) continue
      place.lastReadSeq = to
      if (isIn(room, ME)) tell('room.read', { roomId: room.id, userId: id, lastReadSeq: to })
    } else if (does === 'leave' && isIn(room, id)) {
      const users = [{ id, displayName: names.get(id)! }]
      room.members = room.members.filter(({ user }) => user.id !== id)
      if (id === ME) tell('room.deleted', { roomId: room.id, reason: 'left' })
      put(room, { kind: 'system', system: { code: 'member_left', users } })
      tellRoom(room)
    } else if (does === 'join' && !isIn(room, id) && !erased.has(id)) {
      const users = [{ id, displayName: names.get(id)! }]
      const before = room.lastSeq
      if (id !== ME) {
        // Those who are there hear of the message first, of the room after it.
        put(room, { kind: 'system', system: { code: 'member_joined', users } })
        room.members = [...room.members, { user: userOf(id), lastReadSeq: before, muted: false }]
        tellRoom(room)
      } else {
        put(room, { kind: 'system', system: { code: 'member_joined', users } })
        room.members = [...room.members, { user: userOf(id), lastReadSeq: before, muted: false }]
        tell('room.opened', viewOf(room))
      }
    } else if (does === 'rename' && !erased.has(id)) {
      names.set(id, `${id} ${now}`)
      for (const one of rooms.values()) {
        if (!isIn(one, id)) continue
        one.members = one.members.map((place) => (place.user.id === id ? { ...place, user: userOf(id) } : place))
        tellRoom(one)
        commit()
      }
    } else if (does === 'mute' && isIn(room, ME)) {
      const mine = room.members.find(({ user }) => user.id === ME)!
      mine.muted = !mine.muted
      tellRoom(room)
    } else if (does === 'erase' && id !== ME) {
      erased.add(id)
      for (const one of rooms.values()) {
        for (const { seq: at, sender, system } of messages.get(one.id)!.slice())
          if (sender?.id === id || system?.users.some((user) => user.id === id)) bury(one, at, { isGone: true })
        if (!isIn(one, id)) continue
        one.members = one.members.filter(({ user }) => user.id !== id)
        tellRoom(one)
        commit()
      }
    } else if (does === 'remove') {
      rooms.delete(room.id)
      messages.delete(room.id)
      if (isIn(room, ME)) tell('room.deleted', { roomId: room.id, reason: 'post_deleted' })
    }
    commit()
  }
  return { events, snapshots }
}
