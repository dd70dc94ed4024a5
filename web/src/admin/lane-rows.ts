import type { HistoryEvent, SagaWithHistory } from '../contract.ts'

/** How an event came about, by what it is: the line that leads to it. */
export type LineKind = 'caused' | 'failed' | 'undo' | 'tried'

export interface EventRow {
  event: HistoryEvent
  /** Milliseconds since the first one. */
  at: number
  /** Of its service, among the columns. */
  column: number
  /** The row of its cause, if that is shown. */
  cause: number | undefined
  kind: Exclude<LineKind, 'tried'>
  look: 'plain' | 'bad' | 'undo'
  /** Milliseconds without an event before it, where they are folded. */
  quietBefore: number | undefined
  /** Attempts to handle its cause that failed before the one that made it. How many there were is all that is kept of them. */
  failed: number
}

/** From box to box. Each event has one, and before it one for the attempts that failed, if there were any. */
export interface Line {
  from: number
  to: number
  kind: LineKind
}

const QUIET_MS = 250

/** What a service calls its events: without its own name. */
export const shortTypeOf = ({ type }: HistoryEvent): string => type.slice(type.indexOf('.') + 1).replaceAll('-', ' ')

const isRefusal = (type: string): boolean => /refused|failed|rejected/.test(type)

export function laneRowsOf({ history }: Pick<SagaWithHistory, 'history'>): { columns: string[]; rows: EventRow[] } {
  const columns = [...new Set(history.map(({ service }) => service))]
  const first = history.length > 0 ? Math.min(...history.map(({ recordedAt }) => Date.parse(recordedAt))) : 0
  const rows: EventRow[] = []
  history.forEach((event, i) => {
    const at = Date.parse(event.recordedAt) - first
    const found = history.findIndex(({ eventId }) => eventId === event.causationId)
    const cause = found === -1 || found >= i ? undefined : found
    const quiet = i === 0 ? 0 : at - rows[i - 1]!.at
    const isBad = isRefusal(event.type)
    const before = cause === undefined ? 'plain' : rows[cause]!.look
    // The same event does in one saga what it undoes in another: what a refusal leads to takes back.
    const isBack = !isBad && before !== 'plain'
    rows.push({
      event,
      at,
      column: columns.indexOf(event.service),
      cause,
      kind: isBack ? 'undo' : isBad && before === 'bad' ? 'failed' : 'caused',
      look: isBad ? 'bad' : isBack ? 'undo' : 'plain',
      quietBefore: quiet > QUIET_MS ? quiet : undefined,
      failed: Math.max(0, event.attempt - 1),
    })
  })
  return { columns, rows }
}

/** What led to what, in the order of the rows. */
export function linesOf(rows: readonly EventRow[]): Line[] {
  const boxes: number[] = []
  return rows.flatMap(({ cause, kind, failed }, i) => {
    const first = i === 0 ? 0 : boxes[i - 1]! + 1
    const own = failed > 0 ? first + 1 : first
    boxes.push(own)
    const lines: Line[] = []
    if (cause !== undefined) lines.push({ from: boxes[cause]!, to: first, kind })
    if (failed > 0) lines.push({ from: first, to: own, kind: 'tried' })
    return lines
  })
}

/** The events that led to this one, the first of them first. */
export function chainOf(rows: readonly EventRow[], at: number): EventRow[] {
  const chain: EventRow[] = []
  for (let i: number | undefined = at; i !== undefined; i = rows[i]!.cause) chain.unshift(rows[i]!)
  return chain
}
