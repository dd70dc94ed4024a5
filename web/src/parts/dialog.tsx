import { useEffect, useId, useRef } from 'react'
import { showOnTop } from './top-dialog.ts'

/** A question that has to be answered first. Closed, the focus is back where it was, or, when that is gone, on what it was in. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: React.ReactNode
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const opener = document.activeElement
    const around = opener?.parentElement?.closest<HTMLElement>('[tabindex]')
    const leaveTop = showOnTop(dialog.current!)
    return () => {
      leaveTop()
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
      else around?.focus({ preventScroll: true })
    }
  }, [])
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={id} onCancel={onClose} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}
