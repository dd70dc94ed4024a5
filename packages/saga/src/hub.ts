import type { IncomingMessage, ServerResponse } from 'node:http'
import { asError } from './errors.ts'
import { createGroups } from './groups.ts'
import { createBell } from './loop.ts'
import { answerBusy, begin, COMMENT, frame, HEARTBEAT, jitter } from './sse.ts'
import { type Cursor, formatCursor, type StoredEvent, type StreamHead, type StreamSource } from './streams.ts'

// All open streams of a process. Each connection is one of
//   CATCHING  reads pages from its source and writes them; wake-ups only tell it how far there is to go
//   LIVE      has written all there is; a wake-up that carries the next event is written directly
//   LAGGING   the client does not read; nothing is written or queued until the socket drains, then it is CATCHING again
//   ENDED     has written its last; it is closed when the client has read it, at the latest after 30 s
// The store is the buffer: whatever a client misses, slow or away, is read from there by its cursor. A wake-up is a hint: a lower
// seq is dropped, a higher one means catching up, a lost one is made up for by a look at all heads every few seconds.
// No database connection is held: sources give theirs back before a byte is written.
// It is one file because all of it changes a stream's state, and what may follow on what can only be seen side by side.

/** Events of a page: at most, and for a client that takes less. */
const PAGE = 500
const SMALL_PAGE = 16
/** Streams whose heads are asked for in one question. */
const HEADS = 1_000
const READS_AT_ONCE = 8
/** Of a page that is written in one piece: what a client that does not read costs, beyond the socket's own buffer. */
const PIECE_CHARS = 16 * 1024
const SWEEP_MS = 1_000
const LOOK_MS = 5_000
/** Each stream gets a comment and a heartbeat in turn. */
const BEAT_MS = 15_000
const STALL_MS = 30_000
const ROTATE_MS = [8 * 60_000, 12 * 60_000] as const
const LAST_BYTES_MS = 1_000
const NO_HEADERS = {}
const NO_RAW_HEADERS: string[] = []

export interface OpenOptions {
  source: StreamSource
  /** Its name: one name is one stream, whatever its source. One that does not exist is ended at once, so look first. */
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
  /**
   * Tells of an event that is committed; without `event` only that there is one. Never throws. Returns to how many clients it was written
   * at once; others read it from the store.
   */
  wake(stream: string, seq: number, event?: StoredEvent): number
  /**
   * Writes an event that is stored nowhere (typing, presence) to the open streams of this process: perhaps before stored events that they
   * still catch up with, and not to those whose clients do not read.
   */
  send(stream: string, type: string, data: unknown): void
  /** Ends the streams of an owner, or of one of its sessions. */
  end(owner: string, session?: string): void
  /** Ends what is open of one stream. */
  close(stream: string): void
  /**
   * Calls `listener`, which must not throw, when a stream of this source, by its name, is opened by a first client of this process, and
   * when it has none any more; the returned function ends that.
   */
  onStream(source: StreamSource, listener: (stream: string, isOpen: boolean) => void): () => void
  stats(): {
    open: number
    catching: number
    lagging: number
    streams: number
    owners: number
    queued: number
    reading: number
    written: number
    /** Bytes that clients have not taken yet, as far as they are not in the kernel's buffers. */
    buffered: number
  }
  /** Ends all streams, spread over `drainMs`, and opens no more. Resolves when all are closed: those whose clients do not read, by force. */
  stop(drainMs?: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type State = 'catching' | 'live' | 'lagging' | 'ended'

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
  pageSize: number
  /** Where to begin, until the store was asked; 'reset' when what comes next is no longer there. */
  asked: Cursor | 'first' | 'now' | 'reset' | undefined
  beatAt: number
  beats: number
  /** Since when it waits for the client to read. */
  stalledAt: number
  /** The stream's own headers, while nothing is written yet. */
  headers: Readonly<Record<string, string>> | undefined
}

/** Finds a stream by its response, so that the listeners are the same functions for all: two closures less for each. */
const STREAM = Symbol('stream')
interface Answer extends ServerResponse {
  [STREAM]?: Stream
}

export interface HubOptions {
  /** Open streams at most; default 20,000. */
  maxStreams?: number
  /** Of one owner; default 6. */
  maxPerOwner?: number
  onError?: (error: Error) => void
}

/** The hub of a process. */
export function createHub(options: HubOptions = {}): Hub {
  const { maxStreams = 20_000, maxPerOwner = 6, onError = () => {} } = options
  const all = new Set<Stream>()
  const byName = createGroups<string, Stream>()
  const byOwner = createGroups<string, Stream>()
  const toPlace = new Set<Stream>()
  const toRead = new Set<Stream>()
  const reading = new Set<Stream>()
  const listeners = createGroups<StreamSource, (stream: string, isOpen: boolean) => void>()
  const quiet = createBell()
  let reads = 0
  let written = 0
  let sweeper: NodeJS.Timeout | undefined
  let lookedAt = Date.now()
  let looking = false
  let stopping: Promise<void> | undefined

  function open(res: Answer, { source, stream: name, owner, headers = {}, known, ...rest }: OpenOptions): void {
    // The client left while the caller found out who it is; there will be no other 'close'.
    if (res.destroyed) return
    if (stopping || res.req.method === 'HEAD') {
      begin(res, headers)
      return void res.end()
    }
    const full = all.size >= maxStreams || (owner !== undefined && byOwner.size(owner) >= maxPerOwner)
    if (full) return answerBusy(res, headers)
    const now = Date.now()
    const stream: Stream = {
      res,
      source,
      name,
      owner,
      session: rest.session,
      endsAt: Math.min(rest.expiresAt ?? Infinity, now + jitter(...ROTATE_MS)),
      state: known ? 'live' : 'catching',
      cursor: 0,
      head: 0,
      pageSize: PAGE,
      asked: known ? undefined : (rest.cursor ?? rest.from ?? 'now'),
      // Spread, so that what opened together does not beat together.
      beatAt: now + jitter(0, BEAT_MS - SWEEP_MS),
      beats: 0,
      stalledAt: 0,
      headers,
    }
    // A client takes the first bytes for a word that it will hear of all that comes from then on, and fetches its state. So one that
    // starts now gets them when it is known where that is.
    if (known || stream.asked !== 'now') greet(stream)
    res[STREAM] = stream
    res.on('close', closed)
    res.on('drain', drained)
    res.on('error', ignore)
    letGo(res.req)
    all.add(stream)
    if (byName.add(name, stream)) tell(stream, true)
    if (owner !== undefined) byOwner.add(owner, stream)
    sweeper ??= setInterval(sweep, SWEEP_MS).unref()
    if (known) writeEvents(stream, known)
    else catchUp(stream)
  }

  /** What a client sent, a token mostly, is of no use to a stream that is open for minutes. */
  function letGo(req: IncomingMessage): void {
    req.headers = NO_HEADERS
    req.rawHeaders = NO_RAW_HEADERS
  }

  /** Writes the first bytes, once. */
  function greet(stream: Stream): void {
    if (stream.headers) begin(stream.res, stream.headers)
    stream.headers = undefined
  }

  // --- the states -----------------------------------------------------------------------------------------------------------------
  const isCatching = ({ state }: Stream): boolean => state === 'catching'
  const canWrite = ({ state }: Stream): boolean => state === 'catching' || state === 'live'

  function catchUp(stream: Stream): void {
    stream.state = 'catching'
    // The read that is under way goes on from the same cursor; a second one would write the same events.
    if (!reading.has(stream)) enqueue(stream)
    work()
  }

  function unqueue(stream: Stream): void {
    toPlace.delete(stream)
    toRead.delete(stream)
  }

  function enqueue(stream: Stream): void {
    if (stream.asked === undefined) toRead.add(stream)
    else toPlace.add(stream)
  }

  function work(): void {
    while (reads < READS_AT_ONCE && toPlace.size + toRead.size > 0) {
      reads++
      void (toPlace.size > 0 ? placeSome(first(toPlace).source) : readFor(first(toRead))).finally(() => {
        reads--
        work()
        ringIfQuiet()
      })
    }
  }

  /** Places those that wait for it in one question: clients come back in crowds. */
  function placeSome(source: StreamSource): Promise<void> {
    const streams = [...toPlace].filter((stream) => stream.source === source).slice(0, HEADS)
    return turn(streams, async () => {
      const heads = await source.heads(namesOf(streams))
      return streams.map((stream) => isCatching(stream) && place(stream, heads.get(stream.name)))
    })
  }

  function readFor(stream: Stream): Promise<void> {
    return turn([stream], async () => [await readPage(stream)])
  }

  /** One read for catching streams, which tells of each whether there may be more; then each is live, lagging, ended, or queued again. */
  async function turn(streams: readonly Stream[], read: () => Promise<boolean[]>): Promise<void> {
    const heard = streams.map(({ head }) => head)
    for (const stream of streams) {
      unqueue(stream)
      reading.add(stream)
    }
    try {
      const more = await read()
      for (const [i, stream] of streams.entries()) {
        if (!isCatching(stream)) continue
        // Also when there was a wake-up for something that this read could not see yet.
        if (more[i] || (stream.head > heard[i]! && stream.head > stream.cursor)) enqueue(stream)
        else stream.state = 'live'
      }
    } catch (thrown) {
      onError(asError(thrown))
      // Clients come back with their cursors; by then the store may answer.
      for (const stream of streams) end(stream)
    } finally {
      for (const stream of streams) reading.delete(stream)
    }
  }

  /** Sets where to begin; returns whether there is something to read from there on. */
  function place(stream: Stream, head: StreamHead | undefined): boolean {
    const { asked = 'now' } = stream
    stream.asked = undefined
    greet(stream)
    if (!head) end(stream)
    else if (asked === 'now') stream.cursor = head.seq
    else if (asked === 'first') stream.cursor = head.min - 1
    else if (asked === 'reset' || !canServe(stream.source, asked, head)) reset(stream, head)
    else stream.cursor = asked.seq
    if (head?.ended && stream.cursor === head.seq) end(stream)
    return head !== undefined && stream.cursor < head.seq
  }

  function reset(stream: Stream, { seq }: StreamHead): void {
    const cursor = formatCursor({ epoch: stream.source.epoch, seq })
    stream.cursor = seq
    write(stream, Buffer.from(frame(cursor, 'reset', JSON.stringify({ cursor }))))
  }

  /** Writes the next page; resolves with whether there may be another. */
  async function readPage(stream: Stream): Promise<boolean> {
    const { cursor, pageSize } = stream
    const events = await stream.source.page(stream.name, cursor, pageSize)
    if (events[0] && events[0].seq !== cursor + 1) {
      // What came next was dropped from the store meanwhile.
      stream.asked = 'reset'
      return true
    }
    writeEvents(stream, events)
    const taken = stream.cursor - cursor
    // What was not taken must be read again.
    stream.pageSize = taken < events.length ? Math.max(SMALL_PAGE, taken) : Math.min(PAGE, pageSize * 2)
    return events.length === pageSize
  }

  function drained(this: Answer): void {
    const stream = this[STREAM]!
    if (stream.state === 'lagging') catchUp(stream)
  }

  function wake(name: string, seq: number, event?: StoredEvent): number {
    let bytes: Buffer | undefined
    let clients = 0
    try {
      for (const stream of byName.of(name)) {
        if (seq > stream.head) stream.head = seq
        if (stream.state !== 'live' || !(seq > stream.cursor)) continue
        if (event && seq === stream.cursor + 1) {
          writeEvent(stream, event, (bytes ??= Buffer.from(textOf(stream, event))))
          clients++
        } else catchUp(stream)
      }
    } catch (thrown) {
      onError(asError(thrown))
    }
    return clients
  }

  // --- writing --------------------------------------------------------------------------------------------------------------------
  const textOf = ({ source: { epoch } }: Stream, { seq, type, data }: StoredEvent): string =>
    frame(formatCursor({ epoch, seq }), type, data)

  function writeEvent(stream: Stream, event: StoredEvent, bytes: Buffer): void {
    stream.cursor = event.seq
    write(stream, bytes)
    if (event.last) end(stream)
  }

  /** Writes as many of these as the client takes; what is left is read again when it has drained. */
  function writeEvents(stream: Stream, events: readonly StoredEvent[]): void {
    let text = ''
    for (const [i, event] of events.entries()) {
      if (!canWrite(stream)) return
      text += textOf(stream, event)
      if (text.length < PIECE_CHARS && i < events.length - 1) continue
      writeEvent(stream, event, Buffer.from(text))
      text = ''
    }
  }

  function write(stream: Stream, bytes: Buffer): void {
    written++
    if (stream.res.write(bytes)) return
    stream.state = 'lagging'
    stream.stalledAt = Date.now()
  }

  function send(name: string, type: string, data: unknown): void {
    const bytes = Buffer.from(frame(undefined, type, JSON.stringify(data)))
    // Also to one that catches up, for there is no other time for it; not before its first bytes, nor when its client does not read.
    for (const stream of byName.of(name)) if (canWrite(stream) && !stream.headers) write(stream, bytes)
  }

  // --- ends -----------------------------------------------------------------------------------------------------------------------
  function end(stream: Stream): void {
    if (stream.state === 'ended') return
    greet(stream)
    leave(stream)
    stream.stalledAt = Date.now()
    stream.res.end()
  }

  /** Nothing more is written to it, or read for it. */
  function leave(stream: Stream): void {
    stream.state = 'ended'
    unqueue(stream)
    if (byName.drop(stream.name, stream)) tell(stream, false)
    if (stream.owner !== undefined) byOwner.drop(stream.owner, stream)
  }

  function tell({ source, name }: Stream, isOpen: boolean): void {
    for (const listener of listeners.of(source)) listener(name, isOpen)
  }

  function closed(this: Answer): void {
    const stream = this[STREAM]!
    leave(stream)
    all.delete(stream)
    if (all.size === 0) {
      clearInterval(sweeper)
      sweeper = undefined
    }
    ringIfQuiet()
  }

  // --- the clock ------------------------------------------------------------------------------------------------------------------
  function sweep(): void {
    const now = Date.now()
    for (const stream of all) {
      if (now >= stream.endsAt) end(stream)
      if (stream.headers) continue
      if (!canWrite(stream)) {
        if (now - stream.stalledAt >= STALL_MS) stream.res.destroy()
      } else if (now >= stream.beatAt) {
        stream.beatAt = Math.max(stream.beatAt + BEAT_MS, now)
        write(stream, stream.beats++ % 2 === 0 ? COMMENT : HEARTBEAT)
      }
    }
    if (now - lookedAt >= LOOK_MS && !looking) void look(now)
  }

  /** Makes up for lost wake-ups: asks for the heads of all live streams. One that does not exist any more is ended. */
  async function look(now: number): Promise<void> {
    looking = true
    lookedAt = now
    try {
      for (const [source, streams] of Map.groupBy(
        [...all].filter(({ state }) => state === 'live'),
        (stream) => stream.source,
      )) {
        const names = namesOf(streams)
        const heads = new Map<string, StreamHead>()
        for (let i = 0; i < names.length; i += HEADS)
          for (const [name, head] of await source.heads(names.slice(i, i + HEADS))) {
            heads.set(name, head)
            wake(name, head.seq)
          }
        for (const stream of streams) if (!heads.has(stream.name)) end(stream)
      }
    } catch (thrown) {
      onError(asError(thrown))
    } finally {
      looking = false
    }
  }

  const isQuiet = (): boolean => all.size === 0 && reads === 0
  function ringIfQuiet(): void {
    if (stopping && isQuiet()) quiet.ring()
  }

  async function stopAll(drainMs: number): Promise<void> {
    const streams = [...all]
    // A whole instance's clients that come back at the same moment would be a storm for the others.
    for (let i = 0; i < streams.length; i += 50) {
      if (i > 0) await quiet.wait(drainMs / (streams.length / 50))
      for (const stream of streams.slice(i, i + 50)) end(stream)
    }
    if (!isQuiet()) await quiet.wait(LAST_BYTES_MS)
    for (const { res } of all) res.destroy()
    if (!isQuiet()) await quiet.wait(LAST_BYTES_MS)
  }

  const stop = (drainMs = 2_000): Promise<void> => (stopping ??= stopAll(drainMs))

  return {
    open,
    wake,
    send,
    end(owner, session) {
      for (const stream of byOwner.of(owner)) if (session === undefined || stream.session === session) end(stream)
    },
    close(name) {
      for (const stream of byName.of(name)) end(stream)
    },
    onStream(source, listener) {
      listeners.add(source, listener)
      return () => void listeners.drop(source, listener)
    },
    stats() {
      const count = { catching: 0, lagging: 0, buffered: 0 }
      for (const { state, res } of all) {
        if (state === 'catching' || state === 'lagging') count[state]++
        count.buffered += res.writableLength
      }
      return {
        open: all.size,
        ...count,
        streams: byName.keys,
        owners: byOwner.keys,
        queued: toPlace.size + toRead.size,
        reading: reads,
        written,
      }
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}

// What went wrong with a connection is told by its 'close', which always follows.
function ignore(): void {}

const first = <T>(some: ReadonlySet<T>): T => some.values().next().value as T
const namesOf = (streams: readonly Stream[]): string[] => [...new Set(streams.map(({ name }) => name))]

function canServe({ epoch }: StreamSource, asked: Cursor, { seq, min }: StreamHead): boolean {
  return asked.epoch === epoch && asked.seq <= seq && asked.seq >= min - 1
}
