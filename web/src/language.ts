// The texts, in the language of the profile, else of the browser, else English.
import { useSyncExternalStore } from 'react'
import type { Language } from './contract.ts'
import { fill, type Values } from './fill.ts'
import type { Words } from './words/en.ts'
import { keepLanguage, loadWords } from './words/load.ts'

export type Key = keyof Words
/** A text with its blanks filled in. */
export type Say = (key: Key, values?: Values) => string

let language: Language = 'en'
let words: Words | undefined
let wanted: Language | undefined
let say: Say = (key) => key
const listeners = new Set<() => void>()

/** Shows everything in this language, from now on and at the next visit. */
export async function setLanguage(next: Language): Promise<void> {
  wanted = next
  const loaded = await loadWords(next)
  if (wanted !== next) return
  keepLanguage(next)
  language = next
  words = loaded
  say = (key, values) => fill(loaded[key], values)
  document.documentElement.lang = next
  listeners.forEach((tell) => tell())
}

/** Whether there is a text: for keys that are made of what the server says. */
export const isKey = (key: string): key is Key => words !== undefined && key in words

/** The first of these that is a text. */
export const firstKey = (...keys: [...string[], Key]): Key => keys.find(isKey) ?? 'problem.internal'

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The texts in the language of now; what uses them is drawn again when that changes. */
export const useSay = (): Say => useSyncExternalStore(subscribe, () => say)
export const useLanguage = (): Language => useSyncExternalStore(subscribe, () => language)
