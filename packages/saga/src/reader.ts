import { createBell } from './loop.ts'
import type { LogReader, PlacedRecord, Want } from './transport.ts'

/**
 * A reader's waiting, the same for every transport. `read` looks once; `news` makes a waiting poll look again; `onClose` runs when the
 * reader is closed.
 */
export function createReader(
  read: (wants: readonly Want[], max: number) => Promise<PlacedRecord[]> | PlacedRecord[],
  onClose: () => void,
): LogReader & { news(): void } {
  const bell = createBell()
  let woken = false
  let closed = false

  return {
    news: bell.ring,
    async poll(wants, max, waitMs) {
      let late = waitMs <= 0
      const timer = late
        ? undefined
        : setTimeout(() => {
            late = true
            bell.ring()
          }, waitMs)
      try {
        while (!closed) {
          const found = await read(wants, max)
          if (found.length > 0 || woken || late) return found
          await bell.wait(waitMs)
        }
        return []
      } finally {
        woken = false
        clearTimeout(timer)
      }
    },
    wake() {
      woken = true
      bell.ring()
    },
    async close() {
      closed = true
      bell.ring()
      onClose()
    },
  }
}
