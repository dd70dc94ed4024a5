// State first, then what happened since: events wait while state is being fetched. What is fetched may hold some of them already; those who
// apply them know that by their seq.

/** More waiting events than these are not worth their memory: the state is fetched anew instead. */
const MOST_WAITING = 10_000

/** Fetches state and sets it. To be given up when `signal` is aborted: it is out of date, or nobody wants it any more. */
export type Load = (options: { signal: AbortSignal }) => unknown

export interface Gate<Event> {
  /** Hands the event to `pass`, at once or when all loads are done, in the order in which they came. */
  take(event: Event): void
  /** Adds a load; it is called at once if the gate is open. Returns what removes it. */
  add(load: Load): () => void
  /** Opens the gate: calls the loads that have not been, or all of them when `anew`; then what waits is dropped, for it is older. */
  open(anew: boolean): void
  /** Stops all loads. Returns whether events were dropped or loads cut short. */
  close(): boolean
  readonly isOpen: boolean
}

interface Entry {
  load: Load
  isStale: boolean
  isRunning: boolean
  abort: AbortController
}

/** A load that throws is called again after `pauseMs(times)`; events wait for it. */
export function createGate<Event>(options: {
  pass: (event: Event) => void
  pauseMs: (times: number) => number
  onError: (error: unknown) => void
}): Gate<Event> {
  const { pass, pauseMs, onError } = options
  const entries = new Set<Entry>()
  let waiting: Event[] = []
  let isOpen = false
  let isPassing = false

  const isLoading = (): boolean => [...entries].some(({ isRunning }) => isRunning)

  function flush(): void {
    if (isPassing) return
    isPassing = true
    // Whoever gets an event may add a load, for which the next one waits, or close the gate.
    while (waiting.length > 0 && !isLoading()) pass(waiting.shift()!)
    isPassing = false
  }

  async function run(entry: Entry): Promise<void> {
    if (entry.isRunning) return
    entry.isRunning = true
    for (let times = 1; isOpen && entry.isStale && entries.has(entry); times++) {
      const { signal } = (entry.abort = new AbortController())
      entry.isStale = false
      try {
        await entry.load({ signal })
      } catch (error) {
        entry.isStale = true
        if (signal.aborted) continue
        onError(error)
        await pause(pauseMs(times), signal)
      }
    }
    entry.isRunning = false
    flush()
  }

  function renew(entry: Entry): void {
    entry.isStale = true
    // Never twice at once: the older of two answers could come last.
    entry.abort.abort()
    void run(entry)
  }

  function open(anew: boolean): void {
    isOpen = true
    if (anew) waiting = []
    for (const entry of entries) if (anew || entry.isStale) renew(entry)
  }

  return {
    take(event) {
      waiting.push(event)
      if (waiting.length > MOST_WAITING) open(true)
      flush()
    },
    add(load) {
      const entry: Entry = { load, isStale: true, isRunning: false, abort: new AbortController() }
      entries.add(entry)
      if (isOpen) void run(entry)
      return () => {
        entries.delete(entry)
        entry.abort.abort()
        flush()
      }
    },
    open,
    close() {
      const isCut = waiting.length > 0 || isLoading()
      isOpen = false
      waiting = []
      for (const entry of entries) entry.abort.abort()
      return isCut
    },
    get isOpen() {
      return isOpen
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
