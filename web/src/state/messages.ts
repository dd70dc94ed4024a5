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

/** Fetches the newest messages, back to `firstSeq` or a page, and to what was known before. Throws ApiError. */
export async function loadMessages(roomId: string, firstSeq: number, signal: AbortSignal): Promise<void> {
  const known = messagesNow(roomId)?.items[0]?.seq ?? Infinity
  const back = Math.min(firstSeq, known)
  let items: Message[] = []
  let before: number | undefined
  let hasMore = true
  do {
    const page = await api('GET /api/rooms/{id}/messages', {
      path: { id: roomId },
      query: { before, limit: back === Infinity ? PAGE : 100 },
      signal,
    })
    items = [...page.items.toReversed(), ...items]
    before = page.next ?? undefined
    hasMore = before !== undefined
  } while (hasMore && back !== Infinity && items[0] && items[0].seq > back && items.length < MOST_AT_ONCE)
  queries.setQueryData<Messages>(messagesKey(roomId), { items, hasMore })
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
  const { items, next } = await api('GET /api/rooms/{id}/messages', {
    path: { id: roomId },
    query: { before: first.seq, limit: PAGE },
  })
  queries.setQueryData<Messages>(messagesKey(roomId), (now) =>
    // Only if they still fit.
    now?.items[0]?.seq === first.seq ? { items: [...items.toReversed(), ...now.items], hasMore: next !== null } : now,
  )
}

/** Forgets what nobody looks at: it may have missed something. */
export function forgetMessages(roomId?: string): void {
  queries.removeQueries({
    queryKey: roomId === undefined ? ['messages'] : messagesKey(roomId),
    predicate: (query) => query.getObserversCount() === 0,
  })
}
