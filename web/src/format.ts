import type { Language } from './contract.ts'
import type { Say } from './language.ts'

const numbers = new Intl.NumberFormat('en')

/** 45,000원, ₩45,000; nothing is free. */
export const priceOf = (won: number, say: Say): string =>
  won === 0 ? say('price.free') : say('price.won', { amount: numbers.format(won) })

export const moneyOf = (won: number, say: Say): string => say('price.won', { amount: numbers.format(won) })

export const countOf = (count: number): string => (count > 99 ? '99+' : String(count))

const formats = new Map<string, Intl.DateTimeFormat>()
function format(language: Language, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`
  const known = formats.get(key) ?? new Intl.DateTimeFormat(language === 'ko' ? 'ko-KR' : 'en-GB', options)
  formats.set(key, known)
  return known
}

/** 오후 2:58, 14:58. */
export const clockOf = (time: string | number, language: Language): string =>
  format(language, 'clock', { hour: 'numeric', minute: '2-digit' }).format(new Date(time))

/** 2026년 11월 22일 일요일. */
export const dayOf = (time: string | number, language: Language): string =>
  format(language, 'day', { year: 'numeric', month: 'long', day: 'numeric', weekday: 'long' }).format(new Date(time))

/** 22 Nov 2026; 2026년 11월 22일. */
export const dateOf = (time: string | number, language: Language): string =>
  format(language, 'date', { year: 'numeric', month: 'short', day: 'numeric' }).format(new Date(time))

/** All of it, to the minute. */
export const fullTimeOf = (time: string | number, language: Language): string =>
  format(language, 'full', { dateStyle: 'full', timeStyle: 'short' }).format(new Date(time))

export const isSameDay = (a: string | number, b: string | number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString()

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** How long ago; the date of what is older than yesterday. */
export function agoOf(time: string, now: number, language: Language, say: Say): string {
  const ms = now - Date.parse(time)
  if (ms < MINUTE_MS) return say('time.now')
  if (ms < HOUR_MS) return say('time.minutes', { count: Math.floor(ms / MINUTE_MS) })
  if (isSameDay(time, now)) return say('time.hours', { count: Math.max(1, Math.floor(ms / HOUR_MS)) })
  if (isSameDay(time, now - DAY_MS)) return say('time.yesterday')
  if (new Date(time).getFullYear() !== new Date(now).getFullYear()) return dateOf(time, language)
  return format(language, 'month', { month: 'short', day: 'numeric' }).format(new Date(time))
}
