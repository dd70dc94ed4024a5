import type { Version } from '../stock.ts'

/** What a service made of the events that were committed. All but `events` must be 0. */
export interface Verdict {
  events: number
  /** Committed, but without effect. */
  lost: number
  /** Effects beyond the first of an event. */
  doubled: number
  /** First effects that came after one of a later event of the same key. */
  disordered: number
  /** Effects of what was never committed. */
  invented: number
}

/**
 * Compares effects, in the order in which they came, with what was committed: for each key its last version; the ones before it are
 * 1, 2, 3, …
 */
export function judge(committed: ReadonlyMap<string, number>, effects: readonly Version[]): Verdict {
  const verdict = { events: 0, lost: 0, doubled: 0, disordered: 0, invented: 0 }
  const seen = new Map<string, Set<number>>()
  const latest = new Map<string, number>()
  for (const { key, version } of effects) {
    const versions = seen.get(key) ?? new Set()
    seen.set(key, versions)
    if (version < 1 || version > (committed.get(key) ?? 0)) verdict.invented++
    else if (versions.has(version)) verdict.doubled++
    else {
      if (version < (latest.get(key) ?? 0)) verdict.disordered++
      latest.set(key, Math.max(version, latest.get(key) ?? 0))
      versions.add(version)
    }
  }
  for (const [key, last] of committed) {
    verdict.events += last
    verdict.lost += last - (seen.get(key)?.size ?? 0)
  }
  return verdict
}

/** Whether a verdict finds nothing wrong. */
export const isClean = ({ lost, doubled, disordered, invented }: Verdict): boolean =>
  lost + doubled + disordered + invented === 0
