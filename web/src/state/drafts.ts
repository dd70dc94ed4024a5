// What is typed is kept on this device until the server has it: by user, so that nobody sees another's.
import { useEffect, useState, useSyncExternalStore } from 'react'

const AFTER_MS = 100
const keyOf = (userId: string, name: string): string => `pando.draft.${userId}.${name}`
const listeners = new Set<() => void>()

export const draftNow = (userId: string, name: string): string => localStorage.getItem(keyOf(userId, name)) ?? ''

export function keepDraft(userId: string, name: string, text: string): void {
  const key = keyOf(userId, name)
  if (text === (localStorage.getItem(key) ?? '')) return
  if (text === '') localStorage.removeItem(key)
  else localStorage.setItem(key, text)
  listeners.forEach((tell) => tell())
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  window.addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('storage', listener)
  }
}

/** The draft as it is kept, for those who only show it. */
export const useKeptDraft = (userId: string, name: string): string =>
  useSyncExternalStore(subscribe, () => draftNow(userId, name))

/** A text that is kept a moment after each change, and when the page is left. */
export function useDraft(userId: string, name: string): [text: string, setText: (text: string) => void] {
  const [state, setState] = useState({ name, text: draftNow(userId, name) })
  // Another room, another draft; what was typed in the one before was kept when it was left.
  const text = state.name === name ? state.text : draftNow(userId, name)
  useEffect(() => {
    const keep = () => keepDraft(userId, name, text)
    const timer = setTimeout(keep, AFTER_MS)
    window.addEventListener('pagehide', keep)
    return () => {
      clearTimeout(timer)
      window.removeEventListener('pagehide', keep)
      keep()
    }
  }, [userId, name, text])
  return [text, (next) => setState({ name, text: next })]
}
