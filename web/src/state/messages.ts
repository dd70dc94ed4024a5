import { useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import type { Message } from '../contract.ts'
import { queries } from './queries.ts'

/** The newest messages of a room, oldest first, without a gap. */
export interface Messages {
  items: readonly Message[]
  /** Whether there are older ones. */
  hasMore: boolean
}

const PAGE = 50
/** More than these are not fetched at once, however many are unread. */
const MOST_AT_ONCE = 1_000

export const messagesKey = (roomId: string) => ['messages', roomId] as const

/** The messages that are known; `loadMessages` fetches them. */
export const useMessages = (roomId: string) =>
  useQuery<Messages>({
    queryKey: messagesKey(roomId),
    queryFn: () => messagesNow(roomId) ?? { items: [], hasMore: true },
    enabled: false,
    staleTime: Infinity,
  })

const messagesNow = (roomId: string): Messages | undefined => queries.getQueryData(messagesKey(roomId))

/**
 * Fetches the newest messages: a page, and back to the seq that `back` resolves with (Infinity for no further) and to what was known before.
 * Throws ApiError.
 */
export async function loadMessages(roomId: string, back: () => Promise<number>, signal: AbortSignal): Promise<void> {
  const known = messagesNow(roomId)?.items[0]?.seq ?? Infinity
  let { items, next } = await pageOf(roomId, { limit: PAGE, signal })
  const first = Math.min(await back(), known)
  while (next !== null && items[0] && items[0].seq > first && first !== Infinity && items.length < MOST_AT_ONCE) {
    const older = await pageOf(roomId, { before: next, limit: 100, signal })
    items = [...older.items, ...items]
    next = older.next
  }
  queries.setQueryData<Messages>(messagesKey(roomId), { items, hasMore: next !== null })
}

/** Oldest first. */
async function pageOf(
  id: string,
  { signal, ...query }: { before?: number; limit: number; signal?: AbortSignal },
): Promise<{ items: Message[]; next: number | null }> {
  const { items, next } = await api('GET /api/rooms/{id}/messages', { path: { id }, query, ...(signal && { signal }) })
  return { items: items.toReversed(), next }
}

/** Shows a message like this, whatever is known of it. */
export function showMessage(message: Message): void {
  queries.setQueryData<Messages>(
    messagesKey(message.roomId),
    (known) => known && { ...known, items: known.items.map((one) => (one.seq === message.seq ? message : one)) },
  )
}

const fetching = new Map<string, Promise<void>>()

/** Puts a page of older messages before those that are known; one at a time. Throws ApiError. */
export function loadOlder(roomId: string): Promise<void> {
  const under = fetching.get(roomId) ?? fetchOlder(roomId).finally(() => fetching.delete(roomId))
  fetching.set(roomId, under)
  return under
}

async function fetchOlder(roomId: string): Promise<void> {
  const known = messagesNow(roomId)
  const first = known?.items[0]
  if (!known?.hasMore || !first) return
  const { items, next } = await pageOf(roomId, { before: first.seq, limit: PAGE })
  queries.setQueryData<Messages>(messagesKey(roomId), (now) =>
    // Only if they still fit.
    now?.items[0]?.seq === first.seq ? { items: [...items, ...now.items], hasMore: next !== null } : now,
  )
}

/** Forgets what nobody looks at: it may have missed something. */
export function forgetMessages(roomId?: string): void {
  queries.removeQueries({
    queryKey: roomId === undefined ? ['messages'] : messagesKey(roomId),
    predicate: (query) => query.getObserversCount() === 0,
  })
}
