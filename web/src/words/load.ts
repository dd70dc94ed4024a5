// Only the texts of the language that is shown are loaded.
import type { Language } from '../contract.ts'
import type { Words } from './en.ts'

const LOADS: Record<Language, () => Promise<Words>> = {
  en: async () => (await import('./en.ts')).en,
  ko: async () => (await import('./ko.ts')).ko,
}
const KEY = 'pando.language'
const isLanguage = (value: unknown): value is Language => value === 'ko' || value === 'en'

export const loadWords = (language: Language): Promise<Words> => LOADS[language]()

/** The one that was chosen here, else the browser's, else English. */
export function ownLanguage(): Language {
  const chosen = localStorage.getItem(KEY)
  if (isLanguage(chosen)) return chosen
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage)
  return preferred ?? 'en'
}

export const keepLanguage = (language: Language): void => localStorage.setItem(KEY, language)
