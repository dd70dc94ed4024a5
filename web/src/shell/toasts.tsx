import { useEffect, useState, useSyncExternalStore } from 'react'
import { createPortal } from 'react-dom'
import { useSay } from '../language.ts'
import { useTopDialog } from '../parts/top-dialog.ts'

const LASTS_MS = 6_000

interface Toast {
  id: number
  text: string
  undo: (() => void) | undefined
  /** What cannot be undone by the server, and therefore waits until the toast is gone. */
  commit: ((onLeave: boolean) => void) | undefined
}

let toasts: readonly Toast[] = []
let ids = 0
const listeners = new Set<() => void>()
function set(next: readonly Toast[]): void {
  toasts = next
  listeners.forEach((tell) => tell())
}

/** Says something for a moment. With `undo` it can be taken back until then; `commit` is called when that time is over, or the page is left. */
export function toast(
  text: string,
  { undo, commit }: { undo?: () => void; commit?: (onLeave: boolean) => void } = {},
): void {
  // One at a time: what the one before was about is settled.
  toasts.forEach((one) => one.commit?.(false))
  set([{ id: ++ids, text, undo, commit }])
}

function end({ id, commit }: Toast, onLeave = false): void {
  if (!toasts.some((one) => one.id === id)) return
  set(toasts.filter((one) => one.id !== id))
  commit?.(onLeave)
}

window.addEventListener('pagehide', () => toasts.forEach((one) => end(one, true)))

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  const dialog = useTopDialog()
  const box = (
    <div className="toasts" role="status">
      {shown.map((one) => (
        <ToastBox key={one.id} toast={one} />
      ))}
    </div>
  )
  return dialog ? createPortal(box, dialog) : box
}

function ToastBox({ toast: { text, undo }, toast: own }: { toast: Toast }) {
  const say = useSay()
  const [isHeld, setHeld] = useState(false)
  useEffect(() => {
    if (isHeld) return
    const timer = setTimeout(() => end(own), LASTS_MS)
    return () => clearTimeout(timer)
  }, [isHeld, own])
  return (
    <div
      className="toast"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span>{text}</span>
      {undo && (
        <button
          type="button"
          onClick={() => {
            set(toasts.filter((one) => one !== own))
            undo()
          }}
        >
          {say('undo')}
        </button>
      )}
    </div>
  )
}
