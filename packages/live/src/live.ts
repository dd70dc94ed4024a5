import type { StreamEventType } from '@pando/events/stream'
import type { Connect, LiveEvent, LiveEventOf, Refusal } from './connection.ts'
import { parseCursor } from './cursor.ts'
import { byFetch } from './fetch.ts'
import { createGate, type Load } from './gate.ts'
import { onPage } from './page.ts'

// One stream, over any number of connections. A connection is given up when it ends, when it is refused, and when nothing at all comes; the
// next one goes on from the last id. Ids are dense: what is repeated is dropped, and where one is missing the state is fetched anew.

const SILENCE_MS = 75_000
/** Without an answer. */
const CONNECT_MS = 20_000
const CHECK_MS = 5_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
const BUSY_MS = 30_000
/** No server keeps its clients away for longer than that. */
const LONGEST_WISH_MS = 600_000
/** A connection that lived so long was a good one. */
const STEADY_MS = 10_000
/** Two heartbeats were missed, somebody is looking, or the machine was asleep: it is not worth the wait. */
const DOUBTFUL_MS = 35_000
/** How soon after a `busy` a connection might be another. */
const SETTLE_MS = 1_000

/**
 * `connecting` is no cause for worry: servers end streams now and then. `offline`: connections fail, or the server is full, or the browser
 * says so.
 */
export type LiveState = 'stopped' | 'connecting' | 'open' | 'offline'

export interface LiveOptions {
  /** Of the stream: `/api/stream`; outside of a page, in full. */
  url: string | URL
  /** Default: `byFetch`. */
  connect?: Connect
  /** Asked before each connection; without it cookies are sent. */
  token?: () => string | Promise<string>
  /** After an answer 401: resolve when there may be a session again, or stop. Nothing is tried before. */
  onUnauthenticated?: () => unknown
  onState?: (state: LiveState) => void
  /** Why a connection ended, a load was repeated, or an event made no sense. All of them are dealt with; this is for the curious. */
  onError?: (error: unknown) => void
  /**
   * Where the stream stands, asked when that is not known; `GET /api/notifications/summary` tells. The state is then fetched while the
   * stream is being opened. Without it a connection that brought no event leaves no id to go on from, and the state is fetched anew with
   * the next.
   */
  position?: () => Promise<string | undefined>
  /** After so many milliseconds without a byte (with an EventSource: an event) a connection is dead; default 75,000. */
  silenceMs?: number
}

export interface Live {
  /** Calls the listener with each event of a type, or `'*'`: of all types. Returns what ends that. */
  on<Type extends StreamEventType>(type: Type, listener: (event: LiveEventOf<Type>) => void): () => void
  on(type: '*', listener: (event: LiveEvent) => void): () => void
  /**
   * Adds what fetches state and sets it. It is called when the stream is open (or cannot be opened: state is better than none) or its
   * `position` known, now if that is so, and whenever events may have been missed. Events wait until it is done, so that they change what
   * it has set. If it throws it is called again. Returns what removes it.
   */
  load(load: Load): () => void
  start(): void
  /** May be called often, and start() again after it. */
  stop(): void
  /** Connects at once, if it is only waiting to; for those who know that the network is back. Pages do it by themselves. */
  wake(): void
  readonly state: LiveState
  /** From where a connection would go on. */
  readonly lastEventId: string | undefined
  [Symbol.asyncDispose](): Promise<void>
}

type Timer = ReturnType<typeof setTimeout> | undefined
type Moment = readonly [wall: number, steady: number]

interface Link {
  isOpen: boolean
  isBusy: boolean
  /** Whether it goes on from a place of which the state is known, or being fetched. */
  resumes: boolean
  openedAt: Moment
  heardAt: Moment
  retryMs: number | undefined
  close: () => void
}

/** A stream that is not started yet. */
export function createLive(options: LiveOptions): Live {
  const { connect = byFetch, silenceMs = SILENCE_MS } = options
  const url = String(options.url)
  const report = (error: unknown): void => safely(options.onError, error)
  const listeners = new Map<string, Set<(event: LiveEvent) => void>>()
  const gate = createGate<LiveEvent>({ pass: tell, pauseMs: backoff, onError: report })
  let state: LiveState = 'stopped'
  let lastEventId: string | undefined
  let current: Link | undefined
  let failures = 0
  let wasBusy = false
  let wasUnauthenticated = false
  let next: { at: number; timer: Timer; mayHurry: boolean } | undefined
  let asking: object | undefined
  let settling: Timer
  let checking: Timer
  let leavePage = (): void => {}

  function show(now: LiveState): void {
    if (now === state) return
    state = now
    safely(options.onState, now)
  }

  // --- connections ----------------------------------------------------------------------------------------------------------------
  async function dial(): Promise<void> {
    forgetNext()
    const link: Link = {
      isOpen: false,
      isBusy: false,
      resumes: lastEventId !== undefined,
      openedAt: moment(),
      heardAt: moment(),
      retryMs: undefined,
      close: () => {},
    }
    current = link
    const end = (why?: Refusal): void => ended(link, why)
    const ifCurrent =
      <Args extends unknown[]>(act: (...args: Args) => void) =>
      (...args: Args): void => {
        if (current === link) act(...args)
      }
    try {
      const begin = lastEventId ?? (await options.position?.())
      const token = await options.token?.()
      if (current !== link) return
      lastEventId = begin
      link.close = connect(
        { url, lastEventId, token },
        {
          open: ifCurrent(() => {
            link.openedAt = link.heardAt = moment()
            // A full server says so a moment after it has answered.
            if (wasBusy) settling = setTimeout(() => opened(link), SETTLE_MS)
            else opened(link)
          }),
          alive: ifCurrent(() => {
            link.heardAt = moment()
            if (link.isOpen) show('open')
          }),
          event: ifCurrent((type, data, id) => receive(link, type, data, id)),
          retry: ifCurrent((ms) => void (link.retryMs = ms)),
          end,
        },
      )
      if (current !== link || link.resumes || begin === undefined) return
      // All that happens from there on will be told, so what is fetched now need not wait for the stream to be open.
      link.resumes = true
      gate.open(true)
    } catch (error) {
      end({ error })
    }
  }

  function opened(link: Link): void {
    link.isOpen = true
    wasBusy = wasUnauthenticated = false
    show('open')
    if (current === link) gate.open(!link.resumes)
  }

  function ended(link: Link, { status, retryAfterMs, error }: Refusal = {}): void {
    if (current !== link) return
    current = undefined
    clearTimeout(settling)
    link.close()
    wasBusy = link.isBusy
    failures = link.isOpen && since(link.openedAt) > STEADY_MS ? 0 : failures + 1
    if (error !== undefined || status !== undefined)
      report(error ?? new Error(`${url} answered with ${status}, which is no stream`))
    // It does not understand the id, so that asking again would be no use.
    if (status === 400) lastEventId = undefined
    if (status === 401 && options.onUnauthenticated) return void askForSession(options.onUnauthenticated)
    const wish = link.isBusy ? Math.max(BUSY_MS, link.retryMs ?? spread(2 * BUSY_MS)) : (retryAfterMs ?? 0)
    const usual = link.isOpen ? (link.retryMs ?? spread(5_000)) : 0
    again(Math.max(backoff(failures), Math.min(LONGEST_WISH_MS, Math.max(wish, usual))), wish === 0)
    show(link.isOpen && !link.isBusy ? 'connecting' : 'offline')
    // To see what there is does not take a stream.
    if (state === 'offline' && !gate.isOpen) gate.open(true)
  }

  async function askForSession(ask: () => unknown): Promise<void> {
    const mine = (asking = {})
    let atOnce = !wasUnauthenticated
    wasUnauthenticated = true
    try {
      await ask()
    } catch (error) {
      atOnce = false
      report(error)
    }
    if (asking !== mine) return
    asking = undefined
    if (atOnce) return dial()
    again(backoff(failures), true)
    show('offline')
  }

  function again(ms: number, mayHurry: boolean): void {
    next = { at: Date.now() + ms, timer: setTimeout(() => void dial(), ms), mayHurry }
  }

  function forgetNext(): void {
    clearTimeout(next?.timer)
    next = undefined
  }

  /** Timers stand still while a machine sleeps; clocks do not. */
  function check(longestMs = silenceMs): void {
    if (next && Date.now() > next.at) void dial()
    if (!current || since(current.heardAt) <= (current.isOpen ? longestMs : CONNECT_MS)) return
    ended(current, { error: new Error(`nothing came from ${url} for ${Math.round(since(current.heardAt) / 1000)} s`) })
  }

  function wake(): void {
    check(Math.min(silenceMs, DOUBTFUL_MS))
    if (next?.mayHurry) void dial()
  }

  // --- events ---------------------------------------------------------------------------------------------------------------------
  function receive(link: Link, type: string, text: string, id: string | undefined): void {
    if (type === 'hb') return
    if (type === 'busy') {
      link.isBusy = true
      return ended(link)
    }
    if (id !== undefined) {
      const [before, here] = [parseCursor(lastEventId), parseCursor(id)]
      const isSame = before?.epoch === here?.epoch
      if (type !== 'reset' && before && here && isSame && here.seq <= before.seq) return
      lastEventId = id
      // It is of use, however short it lives.
      failures = 0
      if (type === 'reset' || (before && !(isSame && here?.seq === before.seq + 1))) return gate.open(true)
    }
    try {
      gate.take({ type, data: JSON.parse(text), id } as LiveEvent)
    } catch (error) {
      report(error)
      gate.open(true)
    }
  }

  function tell(event: LiveEvent): void {
    for (const listener of [...(listeners.get(event.type) ?? []), ...(listeners.get('*') ?? [])])
      safely(listener, event)
  }

  function stop(): void {
    leavePage()
    forgetNext()
    clearTimeout(settling)
    clearInterval(checking)
    const link = current
    current = undefined
    asking = undefined
    link?.close()
    // What was waiting was never told.
    if (gate.close()) lastEventId = undefined
    show('stopped')
  }

  return {
    on(type: string, listener: never) {
      const some = listeners.get(type) ?? new Set()
      listeners.set(type, some.add(listener))
      return () => void some.delete(listener)
    },
    load: gate.add,
    start() {
      if (state !== 'stopped') return
      failures = 0
      checking = setInterval(check, Math.min(CHECK_MS, silenceMs / 5))
      leavePage = onPage({
        back: wake,
        changed() {
          failures = 0
          if (current) ended(current)
          wake()
        },
        offline: () => show('offline'),
      })
      void dial()
      // Last, because who is told may stop it.
      show('connecting')
    },
    stop,
    wake,
    get state() {
      return state
    },
    get lastEventId() {
      return lastEventId
    },
    [Symbol.asyncDispose]: async () => stop(),
  }
}

/** What the app throws is, as in any listener, its own affair; nothing here stops because of it. */
function safely<Arg>(act: ((arg: Arg) => unknown) | undefined, arg: Arg): void {
  try {
    act?.(arg)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

const moment = (): Moment => [Date.now(), performance.now()]
/** Milliseconds, by the clock that says more: one stops while the machine sleeps, the other may be set back. */
const since = ([wall, steady]: Moment): number => Math.max(Date.now() - wall, performance.now() - steady)

/** Between half of it and all of it, so that clients which were cut off together do not come back together. */
const spread = (ms: number): number => ms * (0.5 + Math.random() / 2)
const backoff = (times: number): number => spread(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1)))
