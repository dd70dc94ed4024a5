// A client that follows its own GET /api/stream for as long as a test likes, from break to break, wherever it comes back.
import { setTimeout as delay } from 'node:timers/promises'
import { Client, type EventStream } from './client.ts'
import type { Scope } from './postgres.ts'
import type { ServerEvent } from './sse.ts'
import { until } from './until.ts'

const OPEN_MS = 60_000

export interface UserStream {
  /** All stored events so far, in the order in which they came. */
  stored(): ServerEvent[]
  /** What is wrong with their ids: none missing, none twice, no reset. */
  faults(): string[]
  readonly breaks: number
  /** Cuts the connection; it comes back by itself. */
  cut(): void
  stop(): Promise<void>
}

/**
 * Opens the stream at `next()`, an address with a token that is good at that moment, and again after each break, with the last id.
 * Resolves when the first answer is there: from then on nothing is missed.
 */
export async function followUser(
  scope: Scope,
  next: () => Promise<{ url: string; token: string }>,
): Promise<UserStream> {
  const streams: EventStream[] = []
  let stopping = false
  const events = (): ServerEvent[] => streams.flatMap((stream) => stream.events)
  const stored = (): ServerEvent[] => events().filter(({ id, event }) => id !== undefined && event !== 'reset')

  async function run(): Promise<void> {
    while (!stopping) {
      const id = events().findLast((event) => event.id !== undefined)?.id
      try {
        const { url, token } = await next()
        const headers: Record<string, string> = id === undefined ? {} : { 'last-event-id': id }
        const stream = await new Client(url, { token }).stream('/api/stream', { headers })
        if (stream.status === 200) streams.push(stream)
        if (stopping) stream.close()
        await stream.ended(2 ** 31 - 1)
      } catch {
        // Nobody there at the moment.
      }
      await delay(50)
    }
  }
  const running = run()
  const stop = async (): Promise<void> => {
    stopping = true
    streams.at(-1)?.close()
    await running
  }
  scope.after(stop)
  await until('the stream is open', () => streams.length > 0, OPEN_MS)
  return {
    stored,
    faults() {
      const found = events().some(({ event }) => event === 'reset') ? ['a reset'] : []
      const ids = stored().map(({ id }) => id!)
      for (const [i, id] of ids.entries()) {
        const [epoch, seq] = (ids[i - 1] ?? '').split('-')
        if (i > 0 && id !== `${epoch}-${Number(seq) + 1}`) found.push(`${id} came after ${ids[i - 1]}`)
      }
      return found
    },
    get breaks() {
      return streams.length - 1
    },
    cut: () => streams.at(-1)?.close(),
    stop,
  }
}
