import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api } from '../api.ts'
import type { Page, Room } from '../contract.ts'
import { onceCached, queries } from './queries.ts'

export const ROOMS = ['rooms'] as const
/** The ids of those that I am about to leave. */
const LEAVING = ['leaving'] as const

/** All pages of a list. */
export async function allOf<Item>(page: (cursor: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | undefined
  do {
    const { items: more, next } = await page(cursor)
    items.push(...more)
    cursor = next ?? undefined
  } while (cursor !== undefined)
  return items
}

export const fetchRooms = (signal: AbortSignal): Promise<Room[]> =>
  allOf((cursor) => api('GET /api/rooms', { query: { cursor, limit: 100 }, signal }))

/** They are fetched, and kept up to date, by the live stream. */
const useAllRooms = (): Room[] | undefined =>
  useQuery<Room[]>({
    queryKey: ROOMS,
    queryFn: ({ signal }) => fetchRooms(signal),
    enabled: false,
    staleTime: Infinity,
  }).data

/** My rooms, last activity first, without those that I am about to leave. */
export function useRooms(): Room[] | undefined {
  const rooms = useAllRooms()
  const leaving = useQuery<string[]>({ queryKey: LEAVING, enabled: false }).data
  return useMemo(() => rooms?.filter(({ id }) => !leaving?.includes(id)), [rooms, leaving])
}

export const useRoom = (id: string): Room | undefined => useAllRooms()?.find((room) => room.id === id)

export const roomsNow = (): Room[] | undefined => queries.getQueryData<Room[]>(ROOMS)

/** Resolves with my rooms, as soon as they are known; throws when `signal` is aborted. */
export async function knownRooms(signal: AbortSignal): Promise<Room[]> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const stop = onceCached(
      () => roomsNow() !== undefined,
      () => resolve(roomsNow()!),
    )
    signal.addEventListener('abort', () => {
      stop()
      reject(signal.reason)
    })
  })
}

export function changeRooms(change: (rooms: Room[]) => Room[]): void {
  queries.setQueryData<Room[]>(ROOMS, (rooms) => rooms && change(rooms))
}

/** Puts a room that an answer shows among mine, before the stream tells of it. */
export function putRoom(room: Room): void {
  changeRooms((rooms) =>
    rooms.some(({ id }) => id === room.id) ? rooms.map((one) => (one.id === room.id ? room : one)) : [room, ...rooms],
  )
}

/** What is known of one room that is not in the list; null: that it is gone. */
export const roomKey = (id: string) => ['room', id] as const

/** Takes a room from mine. Whoever has it open sees that it is gone, and does not ask for it. */
export function dropRoom(id: string): void {
  changeRooms((rooms) => rooms.filter((room) => room.id !== id))
  queries.setQueryData(roomKey(id), null)
}

/** Keeps a room from the list from now on, whatever is heard of it, until the returned function is called. */
export function hideRoom(id: string): () => void {
  queries.setQueryData<string[]>(LEAVING, (ids = []) => [...ids, id])
  return () => void queries.setQueryData<string[]>(LEAVING, (ids = []) => ids.filter((one) => one !== id))
}

/** Unread messages of rooms that are not muted: what the badge shows. */
export const unreadOf = (rooms: readonly Room[] = []): number =>
  rooms.reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0)

export const othersIn = (room: Room, me: string) => room.members.map(({ user }) => user).filter(({ id }) => id !== me)

/** What a room is called for this user. */
export function nameOf(room: Room, me: string): string {
  if (room.type === 'group') return room.name ?? ''
  return othersIn(room, me)[0]?.displayName ?? room.name ?? room.post?.title ?? ''
}
