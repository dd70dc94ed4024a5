// The messages of a room. While one is at the end, the end is followed; else nothing moves: what comes waits behind a pill, and older
// messages are put in above the first row that is seen, which stays where it is. Of many rows only a window is drawn.
import { notifyManager } from '@tanstack/react-query'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Profile, Room } from '../contract.ts'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { loadOlder, type Messages } from '../state/messages.ts'
import { useOutbox } from '../state/outbox.ts'
import { LogRow } from './log-row.tsx'
import { type Row, rowsOf } from './log-rows.ts'

/** Rows that are drawn. */
const WINDOW = 200
/** So near to an edge of the window it moves. */
const MARGIN = 40
/** For a row that has not been drawn yet. */
const HEIGHT = 52
/** Nearer than that to the end is at the end. */
const END_PX = 80
const SCREENS_AHEAD = 1.5

// Dividers stand elsewhere, or nowhere, when older messages have come.
const STAYING = '[data-key]:not([data-divider])'

interface Place {
  key: string
  /** Of its lower edge from the top of the log's window, in pixels: what follows stays where it is, also when the row itself grows. */
  bottom: number
}

export function MessageLog({
  room,
  messages,
  me,
  readAtFirst,
  onSeen,
}: {
  room: Room
  messages: Messages
  me: Profile
  readAtFirst: number | undefined
  onSeen: (seq: number) => void
}) {
  const say = useSay()
  const outbox = useOutbox()
  const rows = useMemo(
    () =>
      rowsOf(
        messages.items,
        outbox.filter(({ roomId }) => roomId === room.id),
        { myId: me.id, readAtFirst },
      ),
    [messages.items, outbox, room.id, me.id, readAtFirst],
  )
  const log = useRef<HTMLDivElement>(null)
  const heights = useRef(new Map<string, number>())
  const place = useRef<Place>(undefined)
  const isFollowing = useRef(false)
  const isPlaced = useRef(false)
  const hasFocus = useRef(false)
  const lastKey = useRef('')
  const loads = useRef(0)
  const [from, setFrom] = useState(() =>
    windowAround(
      rows,
      rows.findIndex(({ kind }) => kind === 'line'),
    ),
  )
  const [seenEnd, setSeenEnd] = useState(messages.items.at(-1)?.seq ?? 0)
  const [isAtEnd, setAtEnd] = useState(true)
  const [isLoading, setLoading] = useState(false)
  const start = Math.min(from, Math.max(0, rows.length - WINDOW))
  const shown = rows.slice(start, start + WINDOW)
  const heightOf = (part: readonly Row[]): number =>
    part.reduce((sum, { key }) => sum + (heights.current.get(key) ?? HEIGHT), 0)

  /** Where one is: the first row that is seen, whether that is the end, and what has been seen. */
  const look = (): void => {
    const box = log.current
    if (!box) return
    const { top, height } = box.getBoundingClientRect()
    let lastSeen = 0
    place.current = undefined
    for (const row of box.querySelectorAll<HTMLElement>('[data-key]')) {
      const at = row.getBoundingClientRect()
      if (!place.current && at.bottom > top && row.matches(STAYING))
        place.current = { key: row.dataset.key!, bottom: at.bottom - top }
      if (at.bottom <= top + height + 4) lastSeen = Number(row.dataset.seq ?? lastSeen)
      else break
    }
    const atEnd = start + WINDOW >= rows.length && box.scrollHeight - box.scrollTop - box.clientHeight <= END_PX
    isFollowing.current = atEnd && document.visibilityState === 'visible'
    setAtEnd(atEnd)
    if (atEnd) setSeenEnd(messages.items.at(-1)?.seq ?? 0)
    if (lastSeen > 0) onSeen(lastSeen)
  }

  const loadAhead = (): void => {
    const { scrollTop, clientHeight } = log.current!
    if (scrollTop >= SCREENS_AHEAD * clientHeight || start > 0 || !messages.hasMore) return
    loads.current++
    setLoading(true)
    loadOlder(room.id)
      .catch(() => {})
      // They are drawn a moment later; until then it is busy, and nobody is told of them as of something new.
      .finally(() => notifyManager.schedule(() => setLoading(--loads.current > 0)))
  }

  useLayoutEffect(() => {
    const box = log.current!
    for (const row of box.querySelectorAll<HTMLElement>('[data-key]'))
      heights.current.set(row.dataset.key!, row.offsetHeight)
    const last = rows.at(-1)
    // What one sends is looked at.
    if (last?.kind === 'outgoing' && last.key !== lastKey.current && isPlaced.current) isFollowing.current = true
    lastKey.current = last?.key ?? ''
    if (!isPlaced.current) {
      isPlaced.current = true
      const line = box.querySelector<HTMLElement>('[data-key=line]')
      box.scrollTop = line ? line.offsetTop - box.clientHeight / 3 : box.scrollHeight
    } else if (isFollowing.current) {
      if (start + WINDOW < rows.length) return setFrom(rows.length)
      box.scrollTop = box.scrollHeight
    } else if (place.current) {
      const row = [...box.querySelectorAll<HTMLElement>(STAYING)].find(
        ({ dataset }) => dataset.key === place.current!.key,
      )
      if (row)
        box.scrollTop += row.getBoundingClientRect().bottom - box.getBoundingClientRect().top - place.current.bottom
    }
    // What had the focus is no longer drawn: the keyboard goes on from here, not from the top of the page.
    if (hasFocus.current && !box.contains(document.activeElement)) box.focus({ preventScroll: true })
    look()
    // A page of them may be less than a screen.
    loadAhead()
    // oxlint-disable-next-line react/exhaustive-deps -- it looks at what has been drawn
  }, [rows, start])

  const look_ = useRef(look)
  useEffect(() => {
    look_.current = look
  })
  useEffect(() => {
    const box = log.current!
    const resized = new ResizeObserver(() => {
      if (isFollowing.current) box.scrollTop = box.scrollHeight
      look_.current()
    })
    resized.observe(box)
    const seen = (): void => look_.current()
    document.addEventListener('visibilitychange', seen)
    return () => {
      resized.disconnect()
      document.removeEventListener('visibilitychange', seen)
    }
  }, [])

  const scrolled = (): void => {
    look()
    loadAhead()
    const box = log.current!
    // The rows that are seen, by what is known of their heights.
    let at = 0
    let first = 0
    while (first < rows.length && at < box.scrollTop) at += heights.current.get(rows[first++]!.key) ?? HEIGHT
    const isNearTop = start > 0 && first < start + MARGIN
    const isNearEnd = start + WINDOW < rows.length && first > start + WINDOW - 2 * MARGIN
    if (isNearTop || isNearEnd) setFrom(windowAround(rows, first))
  }

  /** From the one of the newest message, to which Tab leads, the arrows go on. */
  const step = (event: React.KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    const buttons = [...log.current!.querySelectorAll<HTMLElement>('.erase')]
    const at = buttons.findIndex((button) => button === document.activeElement)
    if (by === 0 || at === -1) return
    buttons[at + by]?.focus()
    event.preventDefault()
  }
  const readersOf = (row: Row): number =>
    row.kind === 'message' && row.isLast && row.message.sender?.id === me.id
      ? room.members.filter(({ user, lastReadSeq }) => user.id !== me.id && lastReadSeq >= row.message.seq).length
      : 0
  const mine = shown.findLast(
    (row) => row.kind === 'message' && row.message.sender?.id === me.id && row.message.deletedAt === null,
  )
  const news = messages.items.filter(({ seq, sender }) => seq > seenEnd && sender?.id !== me.id).length
  return (
    <div className="log-frame">
      <div
        ref={log}
        className="log"
        role="log"
        aria-label={say('room.messages')}
        // Away from the end, what is put in is what has been there before.
        aria-live={isAtEnd && !isLoading ? 'polite' : 'off'}
        aria-busy={isLoading}
        tabIndex={0}
        onScroll={scrolled}
        onFocus={() => (hasFocus.current = true)}
        onBlur={() => (hasFocus.current = false)}
        onKeyDown={step}
      >
        {messages.hasMore && <p className="earlier">{isLoading ? say('loading') : ''}</p>}
        {rows.length === 0 && <p className="system">{say('room.empty')}</p>}
        <div style={{ blockSize: heightOf(rows.slice(0, start)) }} />
        {shown.map((row) => (
          <LogRow
            key={row.key}
            row={row}
            myId={me.id}
            isGroup={room.type === 'group'}
            readers={readersOf(row)}
            isTabStop={row === mine}
          />
        ))}
        <div style={{ blockSize: heightOf(rows.slice(start + WINDOW)) }} />
      </div>
      <div role="status">
        {!isAtEnd && news > 0 && (
          <button
            type="button"
            className="fresh jump"
            onClick={() => {
              isFollowing.current = true
              setFrom(rows.length)
              log.current!.scrollTop = log.current!.scrollHeight
            }}
          >
            <Icon name="down" small />
            {say('room.news', { count: news })}
          </button>
        )}
      </div>
    </div>
  )
}

/** Where the window starts that has this row in its middle; -1: the last row. */
function windowAround(rows: readonly Row[], at: number): number {
  return at === -1 ? rows.length : Math.max(0, at - WINDOW / 2)
}
