import { useSyncExternalStore } from 'react'

let open: readonly HTMLDialogElement[] = []
const listeners = new Set<() => void>()
function set(next: readonly HTMLDialogElement[]): void {
  open = next
  listeners.forEach((tell) => tell())
}

/** Shows a dialog on top of everything. Returns what ends that. */
export function showOnTop(dialog: HTMLDialogElement): () => void {
  dialog.showModal()
  set([...open, dialog])
  return () => set(open.filter((one) => one !== dialog))
}

/** The dialog on top of everything: while there is one, nothing outside of it can be used. */
export const useTopDialog = (): HTMLDialogElement | undefined =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => open.at(-1),
  )
