import { setTimeout as pause } from 'node:timers/promises'

/** The first answer that is not undefined or false. Rejects, naming `what`, when there is none in `ms` milliseconds. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  ms = 60_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (performance.now() > deadline) throw new Error(`${ms} ms went by without: ${what}`)
    await pause(5)
  }
}
