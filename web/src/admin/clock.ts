import type { Language } from '../contract.ts'
import { dateOf } from '../format.ts'

/** 14:02:07.118, by this browser's zone. */
export function exactTimeOf(time: string): string {
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** 22 Nov 2026, 14:02:07.118; 2026년 11월 22일, 14:02:07.118. */
export const exactDateOf = (time: string, language: Language): string =>
  `${dateOf(time, language)}, ${exactTimeOf(time)}`

/** 12 ms, 1.04 s, 3 min. */
export function spanOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)} s`
  return `${Math.round(ms / 60_000)} min`
}

export const shortIdOf = (id: string): string => `${id.slice(0, 4)}…${id.slice(-4)}`
