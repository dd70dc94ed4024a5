import type { ServerResponse } from 'node:http'
import { asError } from './errors.ts'
import { answerBusy, COMMENT, frame, HEARTBEAT, jitter, opening, SSE_HEADERS } from './sse.ts'
import type { Cursor, StoredEvent, StreamHead, StreamSource } from './streams.ts'

// All open streams of a process. Each connection is one of
//   CATCHING  reads pages from its source and writes them; wake-ups only tell it how far there is to go
//   LIVE      has written all there is; a wake-up that carries the next event is written directly
//   LAGGING   the client does not read; nothing is written or queued until the socket drains, then it is CATCHING again
// The store is the buffer: whatever a client misses, slow or away, is read from there by its cursor. A wake-up is a hint: a lower
// seq is dropped, a higher one means catching up, a lost one is made up for by a look at all heads every few seconds.
// No database connection is held: sources give theirs back before a byte is written.

const PAGE = 500
const PAGES_AT_ONCE = 8
const LOOK_MS = 5_000
const SWEEP_MS = 1_000
const COMMENT_MS = 15_000
const HEARTBEAT_MS = 30_000
const STALL_MS = 30_000
const STALL_BYTES = 256 * 1024
const ROTATE_MS = [8 * 60_000, 12 * 60_000] as const

export interface OpenOptions {
  source: StreamSource
  stream: string
  /** Where the client stopped; without one `from` decides. */
  cursor?: Cursor | undefined
  /** Where a client without a cursor begins; default 'now'. */
  from?: 'first' | 'now'
  /**
   * All events of the stream so far, committed by the caller in this very turn of the event loop: they are written without a look at
   * the store. (A later one cannot have been heard of yet, since hearing of it takes another turn.)
   */
  known?: readonly StoredEvent[]
  /** Whose stream it is: for the limit per owner, and for end(). */
  owner?: string | undefined
  /** The session it was opened with, for end(). */
  session?: string | undefined
  /** When it must end at the latest, in milliseconds since the epoch. */
  expiresAt?: number | undefined
  /** Sent with the stream's own headers. */
  headers?: Readonly<Record<string, string>>
}

export interface Hub {
  /** Answers with the stream; returns at once. When the hub is full: a 200 that tells the client to come back later. */
  open(res: ServerResponse, options: OpenOptions): void
  /** Tells of an event that is committed; without `event` only that there is one. */
  wake(stream: string, seq: number, event?: StoredEvent): void
  /** Writes an event that is stored nowhere (typing, presence) to the open streams of this process. */
  send(stream: string, type: string, data: unknown): void
  /** Ends the streams of an owner, or of one of its sessions. */
  end(owner: string, session?: string): void
  stats(): { open: number; catching: number; lagging: number; streams: number; owners: number; queued: number; reading: number; written: number }
  /** Ends all streams, spread over `drainMs`, and opens no more. */
  stop(drainMs?: number): Promise<void>
}

type State = 'catching' | 'live' | 'lagging' | 'closed'

interface Stream {
  readonly res: ServerResponse
  readonly source: StreamSource
  readonly name: string
  readonly owner: string | undefined
  readonly session: string | undefined
  readonly endsAt: number
  state: State
  cursor: number
  /** The newest seq heard of. */
  head: number
  /** What the client asked for, until the store has confirmed it. */
  asked: Cursor | 'first' | 'now' | undefined
  wroteAt: number
  heartbeatAt: number
  stalledAt: number
}

/** The hub of a process: at most `maxStreams` (default 20,000), `maxPerOwner` (default 6) for one owner. */
export function createHub(options: { maxStreams?: number; maxPerOwner?: number; onError?: (error: Error) => void } = {}): Hub {
  const { maxStreams = 20_000, maxPerOwner = 6, onError = () => {} } = options
  const byName = new Map<string, Set<Stream>>()
  const byOwner = new Map<string, Set<Stream>>()
  const all = new Set<Stream>()
  const queue: Stream[] = []
  let reading = 0
  let written = 0
  let stopped = false
  let sweeper: NodeJS.Timeout | undefined
  let looked = Date.now()
  let looking = false

  function open(res: ServerResponse, opts: OpenOptions): void {
    const { headers = {}, owner } = opts
    const full = stopped || all.size >= maxStreams || (owner !== undefined && (byOwner.get(owner)?.size ?? 0) >= maxPerOwner)
    if (full) return answerBusy(res, headers)
    const now = Date.now()
    const stream: Stream = {
      res,
      source: opts.source,
      name: opts.stream,
      owner,
      session: opts.session,
      endsAt: Math.min(opts.expiresAt ?? Infinity, now + jitter(...ROTATE_MS)),
      state: 'catching',
      cursor: 0,
      head: 0,
      asked: opts.cursor ?? opts.from ?? 'now',
      wroteAt: now,
      heartbeatAt: now,
      stalledAt: 0,
    }
    // Before anything else: a client may be gone already.
    res.on('close', () => forget(stream))
    res.on('error', () => forget(stream))
    res.on('drain', () => drained(stream))
    all.add(stream)
    add(byName, stream.name, stream)
    if (owner !== undefined) add(byOwner, owner, stream)
    sweeper ??= setInterval(sweep, SWEEP_MS).unref()
    res.socket?.setNoDelay(true)
    res.writeHead(200, { ...headers, ...SSE_HEADERS })
    res.write(opening(jitter(2_000, 5_000)))
    if (!opts.known) return catchUp(stream)
    stream.asked = undefined
    stream.state = 'live'
    for (const event of opts.known) if (isOpen(stream)) writeStored(stream, event, frameOf(stream, event))
  }

  const isOpen = ({ state }: Stream): boolean => state !== 'closed'

  // --- the three states -----------------------------------------------------------------------------------------------------------
  function catchUp(stream: Stream): void {
    stream.state = 'catching'
    queue.push(stream)
    work()
  }

  function work(): void {
    while (reading < PAGES_AT_ONCE && queue.length > 0) {
      const stream = queue.shift()!
      if (stream.state !== 'catching') continue
      reading++
      void turn(stream).finally(() => {
        reading--
        work()
      })
    }
  }

  /** One page of a catching stream; then it is live, lagging, ended, or queued again. */
  async function turn(stream: Stream): Promise<void> {
    try {
      if (stream.asked !== undefined && !(await place(stream))) return
      const heard = stream.head
      const events = await stream.source.page(stream.name, stream.cursor, PAGE)
      stream.res.cork()
      for (const event of events) if (stream.state === 'catching') writeStored(stream, event, frameOf(stream, event))
      stream.res.uncork()
      if (stream.state !== 'catching') return
      // Also when there was a wake-up for something that this page could not see yet.
      if (events.length === PAGE || (stream.head > heard && stream.head > stream.cursor)) return void queue.push(stream)
      stream.state = 'live'
    } catch (thrown) {
      onError(asError(thrown))
      // The client comes back with its cursor; by then the store may answer.
      end(stream)
    }
  }

  /** Checks what the client asked for against the store; false when the stream was ended instead. */
  async function place(stream: Stream): Promise<boolean> {
    const head: StreamHead | undefined = (await stream.source.heads([stream.name])).get(stream.name)
    const { asked } = stream
    stream.asked = undefined
    if (stream.state !== 'catching') return false
    if (!head) {
      end(stream)
      return false
    }
    if (asked === 'now') stream.cursor = head.seq
    else if (asked === 'first') stream.cursor = head.min - 1
    else if (asked && (asked.epoch !== stream.source.epoch || asked.seq > head.seq || asked.seq < head.min - 1)) reset(stream, head)
    else if (asked) stream.cursor = asked.seq
    if (head.ended && stream.cursor >= head.seq) end(stream)
    return stream.state === 'catching'
  }

  function reset(stream: Stream, head: StreamHead): void {
    const at = { epoch: stream.source.epoch, seq: head.seq }
    stream.cursor = head.seq
    write(stream, frame(at, 'reset', JSON.stringify({ cursor: `${at.epoch}-${at.seq}` })))
  }

  function drained(stream: Stream): void {
    if (stream.state === 'lagging') catchUp(stream)
  }

  function wake(name: string, seq: number, event?: StoredEvent): void {
    const streams = byName.get(name)
    if (!streams) return
    let bytes: Buffer | undefined
    for (const stream of streams) {
      stream.head = Math.max(stream.head, seq)
      if (stream.state !== 'live' || seq <= stream.cursor) continue
      if (event && seq === stream.cursor + 1) writeStored(stream, event, (bytes ??= frameOf(stream, event)))
      else catchUp(stream)
    }
  }

  // --- writing --------------------------------------------------------------------------------------------------------------------
  const frameOf = (stream: Stream, event: StoredEvent): Buffer => frame({ epoch: stream.source.epoch, seq: event.seq }, event.type, event.data)

  function writeStored(stream: Stream, event: StoredEvent, bytes: Buffer): void {
    stream.cursor = event.seq
    write(stream, bytes)
    if (event.last) end(stream)
  }

  function write(stream: Stream, bytes: Buffer): void {
    const { res } = stream
    written++
    stream.wroteAt = Date.now()
    if (res.write(bytes) || stream.state === 'closed') return
    stream.state = 'lagging'
    stream.stalledAt = stream.wroteAt
  }

  function send(name: string, type: string, data: unknown): void {
    const bytes = frame(undefined, type, JSON.stringify(data))
    for (const stream of byName.get(name) ?? []) if (stream.state === 'live') write(stream, bytes)
  }

  // --- ends -----------------------------------------------------------------------------------------------------------------------
  function end(stream: Stream): void {
    if (stream.state === 'closed') return
    forget(stream)
    stream.res.end()
  }

  function forget(stream: Stream): void {
    if (stream.state === 'closed') return
    stream.state = 'closed'
    all.delete(stream)
    drop(byName, stream.name, stream)
    if (stream.owner !== undefined) drop(byOwner, stream.owner, stream)
    if (all.size === 0) {
      clearInterval(sweeper)
      sweeper = undefined
    }
  }

  function sweep(): void {
    const now = Date.now()
    for (const stream of all) {
      if (stream.state === 'lagging') {
        if (now - stream.stalledAt > STALL_MS || stream.res.writableLength > STALL_BYTES) stream.res.destroy()
      } else if (now >= stream.endsAt) end(stream)
      else if (now - stream.heartbeatAt >= HEARTBEAT_MS) {
        stream.heartbeatAt = now
        write(stream, HEARTBEAT)
      } else if (now - stream.wroteAt >= COMMENT_MS) write(stream, COMMENT)
    }
    if (now - looked >= LOOK_MS && !looking) void look(now)
  }

  /** Makes up for lost wake-ups: asks for the heads of all live streams. */
  async function look(now: number): Promise<void> {
    looking = true
    looked = now
    try {
      for (const [source, streams] of Map.groupBy([...all].filter(({ state }) => state === 'live'), (stream) => stream.source)) {
        const names = [...new Set(streams.map(({ name }) => name))]
        for (let i = 0; i < names.length; i += 1000)
          for (const [name, head] of await source.heads(names.slice(i, i + 1000))) wake(name, head.seq)
      }
    } catch (thrown) {
      onError(asError(thrown))
    } finally {
      looking = false
    }
  }

  return {
    open,
    wake,
    send,
    end(owner, session) {
      for (const stream of [...(byOwner.get(owner) ?? [])]) if (session === undefined || stream.session === session) end(stream)
    },
    stats() {
      const count = { catching: 0, lagging: 0 }
      for (const { state } of all) if (state === 'catching' || state === 'lagging') count[state]++
      return { open: all.size, ...count, streams: byName.size, owners: byOwner.size, queued: queue.length, reading, written }
    },
    async stop(drainMs = 2_000) {
      stopped = true
      const streams = [...all]
      // A whole instance's clients that come back at the same moment would be a storm for the others.
      const pause = streams.length > 50 ? drainMs / (streams.length / 50) : 0
      for (let i = 0; i < streams.length; i++) {
        end(streams[i]!)
        if (pause > 0 && i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, pause))
      }
    },
  }
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set) set.add(value)
  else map.set(key, new Set([value]))
}

function drop<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  set?.delete(value)
  if (set?.size === 0) map.delete(key)
}
