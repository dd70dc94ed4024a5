import { setTimeout as delay } from 'node:timers/promises'

const PAUSE_MS = 25

/**
 * Asks until the answer is enough, for `ms` at most, and resolves with the last answer; it asks once at least. For what may be on its way
 * from another service: between two questions nothing is held, no connection either.
 */
export async function patiently<Answer>(
  ms: number,
  ask: () => Promise<Answer>,
  isEnough: (answer: Answer) => boolean,
): Promise<Answer> {
  const giveUpAt = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (isEnough(answer) || performance.now() >= giveUpAt) return answer
    await delay(PAUSE_MS)
  }
}
