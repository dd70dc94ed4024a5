import { useEffect, useRef } from 'react'
import { api } from '../api.ts'
import type { Room } from '../contract.ts'
import { changeRooms } from '../state/rooms.ts'

const AFTER_MS = 250
const AGAIN_MS = 5_000

/** Tells the server up to where the room has been on the screen, in a tab that one looks at. Returns what is to be called with that. */
export function useReading({ id, lastReadSeq, lastSeq }: Room): (seq: number) => void {
  const state = useRef({ seen: 0, told: 0, timer: 0 })
  const known = useRef({ lastReadSeq, lastSeq })
  useEffect(() => {
    known.current = { lastReadSeq, lastSeq }
  })
  const tell = useRef((): void => {})
  useEffect(() => {
    const own = state.current
    tell.current = () => {
      const seq = Math.min(own.seen, known.current.lastSeq)
      if (seq <= Math.max(own.told, known.current.lastReadSeq)) return
      own.told = seq
      api('PUT /api/rooms/{id}/read', { path: { id }, body: { seq }, keepalive: true }).then(
        () => changeRooms((rooms) => rooms.map((room) => (room.id === id ? readTo(room, seq) : room))),
        () => {
          // Later, with what has been seen until then.
          own.told = 0
          own.timer = window.setTimeout(() => tell.current(), AGAIN_MS)
        },
      )
    }
    return () => {
      clearTimeout(own.timer)
      tell.current()
      tell.current = () => {}
    }
  }, [id])
  return (seq) => {
    const own = state.current
    if (document.visibilityState !== 'visible' || seq <= own.seen) return
    own.seen = seq
    clearTimeout(own.timer)
    own.timer = window.setTimeout(() => tell.current(), AFTER_MS)
  }
}

/** The stream tells the same; it may take a moment longer. */
function readTo(room: Room, seq: number): Room {
  const lastReadSeq = Math.max(room.lastReadSeq, seq)
  return { ...room, lastReadSeq, unread: Math.max(0, room.lastSeq - lastReadSeq) }
}
