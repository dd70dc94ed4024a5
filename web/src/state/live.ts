// The user's one stream: what it tells is put into the cache, so that every page shows what a fresh fetch would.
import {
  applyToMessages,
  applyToNotifications,
  applyToRooms,
  createLive,
  type Live,
  type LiveEvent,
  type LiveState,
  type Load,
} from '@pando/live'
import { useSyncExternalStore } from 'react'
import { ApiError } from '../api.ts'
import { forgetBegun } from '../begun.ts'
import type { PostStatus, Room } from '../contract.ts'
import { renewed } from '../renewal.ts'
import { forgetMessages, type Messages, messagesKey } from './messages.ts'
import { loadNotifications, NOTIFICATIONS, type Notifications, position, reloadNotifications } from './notifications.ts'
import { heardOfPresence } from './presence.ts'
import { queries } from './queries.ts'
import { changeRooms, dropRoom, fetchRooms, ROOMS } from './rooms.ts'
import { ended } from './session.ts'
import { heardTyping, stoppedTyping } from './typing.ts'

let live: Live | undefined
let me = ''
let state: LiveState = 'stopped'
const listeners = new Set<() => void>()
/** Loads of pages that are open, also before there is a stream. */
const loads = new Map<string, { load: Load; remove: (() => void) | undefined }>()

function show(now: LiveState): void {
  state = now
  listeners.forEach((tell) => tell())
}

export const useLiveState = (): LiveState =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => state,
  )

/** Follows this user's stream. Returns what ends that. */
export function startLive(userId: string): () => void {
  me = userId
  const mine = createLive({
    url: '/api/stream',
    onState: show,
    position,
    onUnauthenticated: async () => {
      if ((await renewed(true)) !== 'none') return
      // Not only when the page has heard of it: until then it would ask once more, as nobody.
      mine.stop()
      ended()
    },
  })
  live = mine
  // A page may be older than the stream that it missed something of; it shows that until it has been asked again.
  mine.load(async ({ signal }) => {
    forgetMessages()
    await patiently('rooms', async () => queries.setQueryData(ROOMS, await fetchRooms(signal)))
  })
  mine.load(({ signal }) => patiently('notifications', () => loadNotifications(signal)))
  mine.load(() => {
    for (const key of ['presence', 'post', 'friends']) void queries.invalidateQueries({ queryKey: [key] })
  })
  for (const entry of loads.values()) entry.remove = mine.load(entry.load)
  mine.on('*', forgetBegun)
  mine.on('*', apply)
  mine.start()
  return () => {
    mine.stop()
    live = undefined
    for (const entry of loads.values()) entry.remove = undefined
  }
}

/** Fetches state now, and whenever events may have been missed; events wait for it. Returns what ends that. */
export function keepLoaded(name: string, load: Load): () => void {
  const entry = { load, remove: live?.load(load) }
  loads.set(name, entry)
  return () => {
    if (loads.get(name) === entry) loads.delete(name)
    entry.remove?.()
  }
}

/** Fetches once more what is kept loaded under this name. */
export function loadAgain(name: string): void {
  const entry = loads.get(name)
  entry?.remove?.()
  if (entry) entry.remove = live?.load(entry.load)
}

/** Events wait for a load, and it is repeated while it fails: not for what would fail for ever. */
export async function patiently(what: string, load: () => Promise<unknown>): Promise<void> {
  try {
    await load()
  } catch (error) {
    if (!(error instanceof ApiError) || error.isTransient) throw error
    console.warn(`${what}: ${error.message}`)
  }
}

/** Events that the package does not name yet come all the same. */
type Heard = LiveEvent | { type: 'post.changed'; data: { postId: string; status: PostStatus }; id: string | undefined }

function apply(heard: LiveEvent): void {
  const event = heard as Heard
  if (event.type === 'post.changed') return applyToPosts(event.data)
  const { type, data } = event
  // The reducers leave what they do not know as it is.
  changeRooms((rooms) => applyToRooms(rooms as never, event, me) as unknown as Room[])
  if (type === 'message.created' || type === 'message.deleted') {
    queries.setQueryData<Messages>(messagesKey(data.roomId), (messages) => {
      const items = messages && applyToMessages(messages.items, event, data.roomId)
      return items && items !== messages.items ? { ...messages, items } : messages
    })
    if (data.sender) stoppedTyping(data.roomId, data.sender.id)
  }
  if (type === 'room.deleted') {
    queries.removeQueries({ queryKey: messagesKey(data.roomId) })
    dropRoom(data.roomId)
  }
  // Whoever comes back into a room has not heard what was said meanwhile.
  if (type === 'room.opened') {
    forgetMessages(data.id)
    loadAgain(`messages/${data.id}`)
  }
  if (type === 'notification.created' || type === 'notification.read')
    queries.setQueryData<Notifications>(NOTIFICATIONS, (before) => {
      const after = before && applyToNotifications(before, event)
      return after && after !== before ? { ...after, next: before.next } : before
    })
  if (type === 'notification.read') void reloadNotifications()
  if (type === 'typing') heardTyping(data.roomId, data.userId)
  if (type === 'presence') heardOfPresence(data)
  if (type === 'saga.changed') queries.setQueryData(['saga', data.type, data.id], data)
}

function applyToPosts({ postId, status }: { postId: string; status: PostStatus }): void {
  queries.setQueryData<{ status: PostStatus }>(['post', postId], (post) => post && { ...post, status })
  changeRooms((rooms) =>
    rooms.map((room) => (room.post?.id === postId ? { ...room, post: { ...room.post, status } } : room)),
  )
}
