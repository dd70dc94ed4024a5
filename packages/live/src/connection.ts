import type { StreamEventData, StreamEventType } from '@pando/events/stream'

/** An event of one type. `id` is missing where nothing is stored: typing, presence. */
export interface LiveEventOf<Type extends StreamEventType> {
  type: Type
  data: StreamEventData[Type]
  id: string | undefined
}

/** What a user's stream tells. */
export type LiveEvent = { [Type in StreamEventType]: LiveEventOf<Type> }[StreamEventType]

/** Where a connection goes, and from which event on. */
export interface ConnectionTarget {
  url: string
  lastEventId: string | undefined
  token: string | undefined
}

/** Why a connection ended, or never came about; all undefined when the server simply ended it. */
export interface Refusal {
  /** Of an answer that was no stream. */
  status?: number | undefined
  /** What its `Retry-After` said. */
  retryAfterMs?: number | undefined
  error?: unknown
}

/** What a connection tells whoever made it. After `end` nothing is heard. */
export interface ConnectionHandlers {
  /** The server has answered with a stream. */
  open(): void
  /** Something came, be it only a comment. */
  alive(): void
  /** An event as it came; `id` only if this very event has one. */
  event(type: string, data: string, id: string | undefined): void
  /** The server wishes so many milliseconds between two connections. */
  retry(ms: number): void
  end(why?: Refusal): void
}

/** Begins a connection, for one time: it does not come back by itself. Returns what closes it. */
export type Connect = (target: ConnectionTarget, on: ConnectionHandlers) => () => void
