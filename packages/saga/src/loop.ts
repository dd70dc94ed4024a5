import { asError } from './errors.ts'

/** Something that runs: `start` may be called once, `stop` as often as one likes, all get the same promise. */
export interface Running {
  start(): void
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A wake-up that is not lost when nobody waits yet: the next wait returns at once. One may wait at a time. */
export interface Bell {
  ring(): void
  /** Resolves at the next ring, or after `ms`. */
  wait(ms: number): Promise<void>
}

export function createBell(): Bell {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      rung = true
      wake?.()
    },
    wait(ms) {
      if (rung) {
        rung = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const timer = setTimeout(done, ms)
        function done(): void {
          clearTimeout(timer)
          wake = undefined
          rung = false
          resolve()
        }
        wake = done
      })
    },
  }
}

const FIRST_BACKOFF_MS = 50
const LAST_BACKOFF_MS = 5_000

/**
 * Calls `turn` again and again until stopped; after an error it tells `onError` and waits 50 ms, then twice as long each time up to
 * 5 s, with jitter, until a turn succeeds. `bell` is rung by stop(), so a turn that waits on it ends early.
 */
export function createLoop(options: {
  turn: (stopping: () => boolean) => Promise<void>
  bell: Bell
  onError: (error: Error) => void
  /** Runs once after the last turn. */
  end?: () => Promise<void>
}): Running {
  let stopping = false
  let running: Promise<void> | undefined
  const pause = createBell()

  async function run(): Promise<void> {
    let backoff = 0
    while (!stopping) {
      try {
        await options.turn(() => stopping)
        backoff = 0
      } catch (thrown) {
        options.onError(asError(thrown))
        if (stopping) break
        backoff = Math.min(LAST_BACKOFF_MS, backoff === 0 ? FIRST_BACKOFF_MS : backoff * 2)
        await pause.wait(backoff * (0.75 + Math.random() / 2))
      }
    }
    await options.end?.()
  }

  const stop = async (): Promise<void> => {
    stopping = true
    options.bell.ring()
    pause.ring()
    await running
  }
  return {
    start() {
      running ??= run()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const HOUR_MS = 3_600_000

/**
 * Runs `task` once an hour until stopped: the first time after an hour, or with `atOnce` when it is started. What fails comes again with the
 * next hour, with `atOnce` after a moment, as in a loop. Stopping starts it no more.
 */
export function createHourly(options: {
  task: () => Promise<unknown>
  atOnce?: boolean
  onError: (error: Error) => void
}): Running {
  const bell = createBell()
  return createLoop({
    bell,
    onError: options.onError,
    async turn(stopping) {
      if (!options.atOnce) await bell.wait(HOUR_MS)
      if (stopping()) return
      await options.task()
      if (options.atOnce) await bell.wait(HOUR_MS)
    },
  })
}
