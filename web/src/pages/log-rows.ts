import type { Message } from '../contract.ts'
import { isSameDay } from '../format.ts'
import type { Outgoing } from '../state/outbox.ts'

/** What the log shows, one below the other. `isFirst`, `isLast`: of what one person said at a time. */
export type Row =
  | { kind: 'day'; key: string; at: string }
  | { kind: 'line'; key: string }
  | { kind: 'system'; key: string; message: Message }
  | { kind: 'message'; key: string; message: Message; isFirst: boolean; isLast: boolean }
  | { kind: 'outgoing'; key: string; entry: Outgoing; isFirst: boolean }

const TOGETHER_MS = 3 * 60_000

/** `readAtFirst`: after this seq the unread line stands; undefined for none. */
export function rowsOf(
  messages: readonly Message[],
  outgoing: readonly Outgoing[],
  { myId, readAtFirst }: { myId: string; readAtFirst: number | undefined },
): Row[] {
  const rows: Row[] = []
  let before: Message | undefined
  for (const message of messages) {
    if (!before || !isSameDay(before.createdAt, message.createdAt))
      rows.push({ kind: 'day', key: `day ${message.seq}`, at: message.createdAt })
    const isUnreadNext =
      readAtFirst !== undefined && message.seq > readAtFirst && (!before || before.seq <= readAtFirst)
    if (isUnreadNext) rows.push({ kind: 'line', key: 'line' })
    if (message.kind === 'system') rows.push({ kind: 'system', key: `${message.seq}`, message })
    else {
      const last = rows.at(-1)
      const goesOn = last?.kind === 'message' && isTogether(last.message, message)
      if (goesOn) last.isLast = false
      const isMine = message.sender?.id === myId
      // The same as while it was under way: it is the same bubble.
      const key = (isMine && message.clientMessageId) || `${message.seq}`
      rows.push({ kind: 'message', key, message, isFirst: !goesOn, isLast: true })
    }
    before = message
  }
  const known = new Set(messages.map(({ sender, clientMessageId }) => sender?.id === myId && clientMessageId))
  for (const entry of outgoing) {
    if (known.has(entry.sending.clientMessageId)) continue
    const last = rows.at(-1)
    const goesOn = last?.kind === 'outgoing' || (last?.kind === 'message' && last.message.sender?.id === myId)
    rows.push({ kind: 'outgoing', key: entry.sending.clientMessageId, entry, isFirst: !goesOn })
  }
  return rows
}

const isTogether = (a: Message, b: Message): boolean =>
  a.sender !== null && a.sender.id === b.sender?.id && Date.parse(b.createdAt) - Date.parse(a.createdAt) < TOGETHER_MS
