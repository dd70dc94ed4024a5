import type { Hub } from './hub.ts'
import type { StoredEvent } from './streams.ts'
import type { Transport } from './transport.ts'

// A hint is at most about 4 KB; names are ids.
const NAMES_AT_ONCE = 80

/** Tells of events of streams that are committed, in this process and in all others: best effort, since hubs look at the heads too. */
export interface Wakes {
  /** To the other processes; `hub.wake` tells this one. */
  tellOthers(events: readonly { stream: string; event: StoredEvent }[]): void
  /** Hears no more of the others. */
  stop(): void
}

/** Names of streams must have no white space. */
export function createWakes(hub: Hub, transport: Transport): Wakes {
  return {
    tellOthers(events) {
      // The newest of each stream says it all.
      const heads = [...new Map(events.map(({ stream, event: { seq } }) => [stream, seq]))]
      for (let i = 0; i < heads.length; i += NAMES_AT_ONCE)
        transport.hint(
          `wake ${heads
            .slice(i, i + NAMES_AT_ONCE)
            .map(([stream, seq]) => `${stream}:${seq}`)
            .join(' ')}`,
        )
    },
    stop: transport.onHint((text) => {
      if (!text.startsWith('wake ')) return
      for (const part of text.slice(5).split(' ')) {
        const colon = part.lastIndexOf(':')
        hub.wake(part.slice(0, colon), Number(part.slice(colon + 1)))
      }
    }),
  }
}
