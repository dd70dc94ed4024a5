import type { NotificationState } from '@pando/live'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import type { Notification } from '../contract.ts'
import { queries } from './queries.ts'

export const NOTIFICATIONS = ['notifications'] as const

/** `next`: where the older ones begin. */
export type Notifications = NotificationState & { next: string | null }

/** They are fetched, and kept up to date, by the live stream. */
export const useNotifications = () =>
  useQuery<Notifications>({
    queryKey: NOTIFICATIONS,
    queryFn: ({ signal }) => fetchNotifications(signal),
    enabled: false,
    staleTime: Infinity,
  })

const summary = queryOptions({
  queryKey: ['notification-summary'],
  queryFn: ({ signal }) => api('GET /api/notifications/summary', { signal }),
  staleTime: Infinity,
})

/** Begins to ask where the stream stands: it is needed before anything else of a member's is fetched. */
export const askPosition = (): void => void queries.prefetchQuery(summary)

/** Where the stream stands, or has stood before anything was fetched. Throws ApiError. */
export const position = async (): Promise<string> => (await queries.fetchQuery(summary)).cursor

async function fetchNotifications(signal?: AbortSignal): Promise<Notifications> {
  // First where the stream stands, then what there is: what is told meanwhile may be in both.
  const { unread, cursor } = await queries.fetchQuery(summary)
  queries.removeQueries(summary)
  const { items, next } = await api('GET /api/notifications', { query: { limit: 50 }, ...(signal && { signal }) })
  return { unread, cursor, items, next }
}

export async function loadNotifications(signal: AbortSignal): Promise<void> {
  queries.setQueryData(NOTIFICATIONS, await fetchNotifications(signal))
}

/** Which ones were read is not told: asks what there is now, and keeps what has come meanwhile. */
export async function reloadNotifications(): Promise<void> {
  const { items } = await api('GET /api/notifications', { query: { limit: 50 } }).catch(() => ({ items: [] }))
  const fresh = new Map(items.map((item) => [item.id, item]))
  change((known) => known.map((item) => fresh.get(item.id) ?? item))
}

function change(items: (known: readonly Notification[]) => readonly Notification[]): void {
  queries.setQueryData<Notifications>(NOTIFICATIONS, (state) => state && { ...state, items: items(state.items) })
}

export async function loadOlderNotifications(): Promise<void> {
  const state = queries.getQueryData<Notifications>(NOTIFICATIONS)
  if (!state?.next) return
  const { items, next } = await api('GET /api/notifications', { query: { cursor: state.next, limit: 50 } })
  queries.setQueryData<Notifications>(
    NOTIFICATIONS,
    (now) =>
      now && {
        ...now,
        items: [...now.items, ...items.filter(({ id }) => !now.items.some((one) => one.id === id))],
        next,
      },
  )
}

/** Shows it as read; the stream tells how many are not. */
export async function readNotification(id: string): Promise<void> {
  const readAt = new Date().toISOString()
  change((known) => known.map((item) => (item.id === id && item.readAt === null ? { ...item, readAt } : item)))
  await api('PUT /api/notifications/{id}/read', { path: { id } })
}

export async function readAllNotifications(): Promise<void> {
  const newest = queries.getQueryData<Notifications>(NOTIFICATIONS)?.items[0]
  if (!newest) return
  await api('PUT /api/notifications/read', { body: { upTo: newest.id } })
  const readAt = new Date().toISOString()
  change((known) => known.map((item) => (item.readAt === null && item.id <= newest.id ? { ...item, readAt } : item)))
}

/** Takes it from the list; returns what puts it back. */
export function hideNotification(id: string): () => void {
  const before = queries.getQueryData<Notifications>(NOTIFICATIONS)?.items ?? []
  const hidden = before.find((item) => item.id === id)
  change((known) => known.filter((item) => item.id !== id))
  return () => {
    if (hidden) change((known) => [...known, hidden].toSorted((a, b) => (a.id < b.id ? 1 : -1)))
  }
}
