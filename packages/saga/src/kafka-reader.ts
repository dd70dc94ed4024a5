import type { Consumer, RecordsBatch } from '@platformatic/kafka'
import { SagaError } from './errors.ts'
import { isSessionLost, OFFSET_OUT_OF_RANGE, type Renewed } from './kafka-client.ts'
import { createBell } from './loop.ts'
import type { LogReader, PlacedRecord, Want } from './transport.ts'

// Reads partitions by offset, without a group. For each partition that is wanted there is a buffer: what came from the broker and was
// not taken yet, without a gap. One request is under way for each broker (that is what its fetch session allows); it asks for what
// follows every buffer that is not full, and waits at the broker while there is nothing. So the next records travel while the last
// ones are being handled, a partition that is not emptied is not asked for, and asking for an offset that is not in the buffer is all
// that seeking takes.

/** How long an idle request waits at the broker. */
const LONG_POLL_MS = 500
const FETCH_BYTES = 4 * 1024 * 1024
const PARTITION_BYTES = 256 * 1024
/** Records of a partition that are waiting here when no more are asked for. */
const ENOUGH = 500

/** An ensured topic as the cluster knows it. */
export interface KafkaTopic {
  /** In the cluster; the transport's topics have a prefix there. */
  name: string
  id: string
  partitions: number
}

interface Buffer {
  want: Want
  records: PlacedRecord[]
  /** How many of them were taken. */
  taken: number
  /** The offset after the last one. */
  end: number
}

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>

interface Leader {
  node: number
  epoch: number
}

/**
 * A reader with a client of its own. `topicOf` throws for a topic that was not ensured; `currentId` asks the cluster which topic has that
 * name now (undefined: none). `translate` makes an error of the client one of ours.
 */
export function createKafkaReader(options: {
  consumer: Renewed<Consumer>
  topicOf: (topic: string) => KafkaTopic
  currentId: (topic: string) => Promise<string | undefined>
  translate: (thrown: unknown) => Error
  onClose: () => void
}): LogReader {
  const { consumer, topicOf, currentId, translate, onClose } = options
  const buffers = new Map<string, Buffer>()
  const fetching = new Map<number, Promise<void>>()
  const bell = createBell()
  /** The leaders of the partitions, by `nameOf`; empty when they must be asked for. */
  let leaders = new Map<string, Leader>()
  let failure: Error | undefined
  let turn = 0
  let woken = false
  let closed = false
  let closing: Promise<void> | undefined

  /** Keeps of the buffers what these wants go on with. */
  function adopt(wants: readonly Want[]): void {
    const before = new Map(buffers)
    buffers.clear()
    for (const want of wants) {
      topicOf(want.topic)
      const buffer = before.get(nameOf(want))
      const skipped = buffer?.records.findIndex((record) => record.offset >= want.next) ?? -1
      if (buffer && skipped >= 0 && buffer.records[skipped]!.offset === want.next)
        buffers.set(nameOf(want), Object.assign(buffer, { want, taken: skipped }))
      else if (buffer && buffer.end === want.next)
        buffers.set(nameOf(want), Object.assign(buffer, { want, taken: buffer.records.length }))
      else buffers.set(nameOf(want), { want, records: [], taken: 0, end: want.next })
    }
  }

  /** What is here, a share of each partition; another one is first each time. */
  function take(max: number): PlacedRecord[] {
    const full = [...buffers.values()].filter(({ records, taken }) => taken < records.length)
    if (full.length === 0) return []
    turn = (turn + 1) % full.length
    const share = Math.max(16, Math.ceil(max / full.length))
    const found: PlacedRecord[] = []
    for (const buffer of [...full.slice(turn), ...full.slice(0, turn)]) {
      const some = buffer.records.slice(buffer.taken, buffer.taken + share)
      buffer.taken += some.length
      found.push(...some)
    }
    return found
  }

  /** Asks each broker that is not being asked for what follows the buffers. */
  async function fill(waitMs: number): Promise<void> {
    try {
      if ([...buffers.keys()].some((name) => !leaders.has(name))) leaders = await findLeaders()
    } catch (thrown) {
      fail(thrown)
      return
    }
    if (closed) return
    const all = [...buffers.values()]
    const hungry = all.filter(({ records, taken }) => records.length - taken < ENOUGH)
    // One that is full may be empty soon, and then must not wait behind those that have nothing.
    const patience = hungry.length < all.length ? 0 : waitMs
    for (const [node, some] of Map.groupBy(hungry, ({ want }) => leaders.get(nameOf(want))?.node ?? -1)) {
      if (node < 0) fail(new Error(`${nameOf(some[0]!.want)} has no leader`))
      else if (!fetching.has(node)) {
        const request = fetchFrom(node, some, patience).finally(() => {
          fetching.delete(node)
          bell.ring()
        })
        fetching.set(node, request)
      }
    }
  }

  async function findLeaders(): Promise<Map<string, Leader>> {
    const topics = [...new Set([...buffers.values()].map(({ want }) => want.topic))]
    const found = await consumer.use((client) =>
      client.metadata({ topics: topics.map((topic) => topicOf(topic).name), forceUpdate: true }),
    )
    return new Map(
      topics.flatMap((topic) =>
        (found.topics.get(topicOf(topic).name)?.partitions ?? []).map(({ leader, leaderEpoch }, partition) => [
          nameOf({ topic, partition }),
          { node: leader, epoch: leaderEpoch },
        ]),
      ),
    )
  }

  /** One request to one broker; never rejects. */
  async function fetchFrom(node: number, asked: readonly Buffer[], waitMs: number): Promise<void> {
    // The request says where each partition is at now; the buffer may be another one when the answer comes.
    const byPlace = new Map<string, { buffer: Buffer; from: number }>()
    const topics = [...Map.groupBy(asked, ({ want }) => topicOf(want.topic).id)].map(([topicId, some]) => ({
      topicId,
      partitions: some.map((buffer) => {
        const { partition } = buffer.want
        byPlace.set(`${topicId}/${partition}`, { buffer, from: buffer.end })
        return {
          partition,
          currentLeaderEpoch: leaders.get(nameOf(buffer.want))?.epoch ?? -1,
          fetchOffset: BigInt(buffer.end),
          lastFetchedEpoch: -1,
          partitionMaxBytes: PARTITION_BYTES,
        }
      }),
    }))
    let response: FetchResponse
    let thrown: unknown
    try {
      response = await request({ node, topics, minBytes: 1, maxWaitTime: waitMs, maxBytes: FETCH_BYTES })
    } catch (error) {
      thrown = error
      const partial = responseOf(error)
      if (!partial) return fail(error)
      response = partial
    }
    for (const { topicId, partitions } of response.responses)
      for (const { partitionIndex, errorCode, records } of partitions) {
        const place = byPlace.get(`${topicId}/${partitionIndex}`)
        if (!place) continue
        if (errorCode === OFFSET_OUT_OF_RANGE)
          failure ??= outOfLog(place.buffer.want, place.from, 'the log begins later or ends before')
        else if (errorCode !== 0) await refused(place.buffer.want, thrown)
        else if (buffers.get(nameOf(place.buffer.want)) === place.buffer) append(place.buffer, records ?? [])
      }
    if (thrown !== undefined) failure ??= translate(thrown)
  }

  async function request(what: Parameters<Consumer['fetch']>[0]): Promise<FetchResponse> {
    try {
      return await consumer.use((client) => client.fetch(what))
    } catch (thrown) {
      if (!isSessionLost(thrown)) throw thrown
      return consumer.use((client) => client.fetch(what))
    }
  }

  /** A partition that is not served: its leader is another one by now, or its topic. */
  async function refused(want: Want, thrown: unknown): Promise<void> {
    leaders = new Map()
    try {
      const id = await currentId(want.topic)
      if (id !== undefined && id !== topicOf(want.topic).id)
        failure ??= outOfLog(want, want.next, 'the topic was deleted and made again')
    } catch {
      // The first error says more.
    }
    failure ??= translate(thrown)
  }

  function append(buffer: Buffer, batches: readonly RecordsBatch[]): void {
    buffer.records.splice(0, buffer.taken)
    buffer.taken = 0
    const { topic, partition } = buffer.want
    for (const { firstOffset, records } of batches)
      for (const { offsetDelta, key, value, headers } of records) {
        const offset = Number(firstOffset) + offsetDelta
        // A batch comes whole, with what stands before the offset that was asked for.
        if (offset < buffer.end) continue
        buffer.end = offset + 1
        const header = new Map(headers.map(([name, text]) => [String(name ?? ''), String(text ?? '')]))
        buffer.records.push({
          id: header.get('ce_id') ?? '',
          topic,
          key: String(key ?? ''),
          type: header.get('ce_type') ?? '',
          body: String(value ?? ''),
          partition,
          offset,
        })
      }
  }

  function fail(thrown: unknown): void {
    leaders = new Map()
    if (!closed) failure ??= translate(thrown)
    bell.ring()
  }

  const settled = (): Promise<unknown> => Promise.all(fetching.values())

  return {
    async poll(wants, max, waitMs) {
      const below = wants.find((want) => want.next < 0)
      if (below) throw outOfLog(below, below.next, 'offsets begin at 0')
      adopt(wants)
      // What failed before was about other wants, or it fails again.
      failure = undefined
      const until = performance.now() + waitMs
      let late = waitMs <= 0
      const timer = late
        ? undefined
        : setTimeout(() => {
            late = true
            bell.ring()
          }, waitMs)
      try {
        if (late) {
          // One look, at all of them: the request under way may be about others.
          await settled()
          await fill(0)
          await settled()
        }
        for (;;) {
          if (closed) return []
          if (failure) throw failure
          const found = take(max)
          if (found.length > 0 || woken || late) {
            // Who does not wait may want something else next.
            if (found.length > 0 && waitMs > 0) void fill(LONG_POLL_MS)
            return found
          }
          await fill(Math.max(0, Math.min(LONG_POLL_MS, until - performance.now())))
          await bell.wait(LONG_POLL_MS)
        }
      } finally {
        woken = false
        failure = undefined
        clearTimeout(timer)
      }
    },
    wake() {
      woken = true
      bell.ring()
    },
    close() {
      closed = true
      bell.ring()
      closing ??= (async () => {
        // A request that loses its connection would only be known to have failed when its time is over.
        const patience = createBell()
        void settled().then(patience.ring)
        await patience.wait(2 * LONG_POLL_MS)
        await consumer.close()
        onClose()
      })()
      return closing
    },
  }
}

const nameOf = (at: { topic: string; partition: number }): string => `${at.topic}/${at.partition}`

// When some partitions fail the client throws, with the whole answer.
function responseOf(thrown: unknown): FetchResponse | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('response' in thrown)) return undefined
  const { response } = thrown
  return typeof response === 'object' && response !== null && 'responses' in response
    ? (response as FetchResponse)
    : undefined
}

const outOfLog = ({ topic, partition }: Want, next: number, why: string): SagaError =>
  new SagaError('SAGA_OFFSET_OUT_OF_LOG', `${topic}/${partition} cannot be read from offset ${next}: ${why}`, {
    partition,
  })
