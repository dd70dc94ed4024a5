import { randomUUID } from 'node:crypto'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { SagaError } from './errors.ts'
import { clientOptions, isTopicThere, isUnsettled, kafkaError, type KafkaConnection, renewed } from './kafka-client.ts'
import { createKafkaHints } from './kafka-hints.ts'
import { createKafkaReader, type KafkaTopic } from './kafka-reader.ts'
import { createBell } from './loop.ts'
import { partitionOf } from './partition.ts'
import type { LogReader, LogRecord, TopicState, Transport, Want } from './transport.ts'

export type { KafkaConnection } from './kafka-client.ts'

// The log in a Kafka cluster. A record's key and value are the event's key and envelope; its id and type are headers, so that readers
// can tell repeats and what concerns them without parsing. Publishes go one at a time, acknowledged by all replicas in sync. None is
// tried again in here, but for several that went together and failed, which are then tried each alone: the relay does that, and readers
// drop repeats by their id. (The client's idempotent mode would do no more, and
// repeats for ever what cannot be written at all.) Readers fetch by offset, without a group: kafka-reader.ts.

const RETENTION_MS = 7 * 86_400_000
/** A produce request at most: below what brokers take by default (1 MiB a batch). */
const SEND_BYTES = 900 * 1024
/** A single event may be larger. */
const LARGEST_BYTES = 8 * 1024 * 1024
const SETTLE_MS = 30_000
const SETTLE_LOOK_MS = 50
const EARLIEST = -2n
const LATEST = -1n
/** How long before its event a record is looked for, and among how many. */
const CLOCKS_MS = 60_000
const SEARCHED = 5_000

/**
 * A log in the Kafka cluster at `connection`; its topics there are named `<prefix>.<topic>`. `onError` is told of lost hints and of what
 * goes wrong behind the scenes. Rejects with SAGA_LOG_UNAVAILABLE when the cluster cannot be reached; once it was, every method rejects
 * with that while it is away, and goes on when it is back.
 */
export async function createKafkaTransport(options: {
  connection: KafkaConnection
  prefix: string
  onError?: (error: Error) => void
}): Promise<Transport> {
  const { connection, prefix, onError = () => {} } = options
  const settings = clientOptions(connection)
  const admin = renewed(() => new Admin(settings))
  const producer = renewed(() => new Producer({ ...settings, acks: -1 }))
  const ensured = new Map<string, KafkaTopic>()
  const readers = new Set<LogReader>()
  const translate = (thrown: unknown): Error => kafkaError(thrown, connection)
  const nameOf = (topic: string): string => `${prefix}.${topic}`

  async function ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (thrown) {
      throw translate(thrown)
    }
  }

  function topicOf(topic: string): KafkaTopic {
    const known = ensured.get(topic)
    if (!known) throw new SagaError('SAGA_DEFINITION', `topic "${topic}" was not ensured`)
    return known
  }

  const metadata = (names: readonly string[]) =>
    admin.use((client) => client.metadata({ topics: [...names], forceUpdate: true }))

  // --- topics ---------------------------------------------------------------------------------------------------------------------
  async function makeTopics(names: readonly string[], partitions: number, retentionMs: number): Promise<void> {
    try {
      const configs = [
        { name: 'cleanup.policy', value: 'delete' },
        { name: 'retention.ms', value: String(retentionMs) },
        { name: 'max.message.bytes', value: String(LARGEST_BYTES) },
      ]
      // The number of replicas is the cluster's own default.
      await admin.use((client) => client.createTopics({ topics: [...names], partitions, replicas: -1, configs }))
    } catch (thrown) {
      // Another process was faster; whether it wanted the same is seen by who looks.
      if (!isTopicThere(thrown)) throw thrown
    }
  }

  /** What the cluster knows of these topics and where they begin, once each partition answers. */
  async function settled(names: readonly string[]): Promise<{ topics: KafkaTopic[]; first: Map<string, number[]> }> {
    const deadline = Date.now() + SETTLE_MS
    const bell = createBell()
    for (;;) {
      try {
        const found = await metadata(names)
        const topics = names.map((name) => {
          const { id, partitionsCount } = found.topics.get(name)!
          return { name, id, partitions: partitionsCount }
        })
        return { topics, first: await offsets(topics, EARLIEST) }
      } catch (thrown) {
        if (!isUnsettled(thrown) || Date.now() > deadline) throw thrown
      }
      await bell.wait(SETTLE_LOOK_MS)
    }
  }

  /** An offset of each partition of these topics: `timestamp` is EARLIEST, LATEST, or the time of the first record wanted. */
  async function offsets(topics: readonly KafkaTopic[], timestamp: bigint): Promise<Map<string, number[]>> {
    const wanted = topics.map(({ name, partitions }) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
    }))
    const found = await admin.use((client) => client.listOffsets({ topics: wanted }))
    return new Map(
      found.map(({ name, partitions }) => [
        name,
        partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex).map(({ offset }) => Number(offset)),
      ]),
    )
  }

  async function ensureTopics(topics: readonly string[], partitions: number): Promise<Map<string, TopicState>> {
    if (topics.length === 0) return new Map()
    const there = new Set(await admin.use((client) => client.listTopics()))
    const missing = topics.map(nameOf).filter((name) => !there.has(name))
    if (missing.length > 0) await makeTopics(missing, partitions, RETENTION_MS)
    const known = await settled(topics.map(nameOf))
    const states = new Map<string, TopicState>()
    for (const [i, topic] of known.topics.entries()) {
      const { name, id, partitions: found } = topic
      if (found !== partitions)
        throw new SagaError(
          'SAGA_PARTITIONS_CHANGED',
          `topic "${name}" has ${found} partitions, not ${partitions}: the number is fixed once a topic exists, so set it back to ${found}`,
        )
      ensured.set(topics[i]!, topic)
      states.set(topics[i]!, { logId: id, first: known.first.get(name)! })
    }
    return states
  }

  // --- publishing -----------------------------------------------------------------------------------------------------------------
  type Call = { records: readonly LogRecord[]; resolve: () => void; reject: (error: Error) => void }
  let waiting: Call[] = []
  let sending = false

  async function sendAll(): Promise<void> {
    if (sending) return
    sending = true
    while (waiting.length > 0) {
      const calls = waiting
      waiting = []
      try {
        // What several relays want to publish meanwhile goes together.
        await send(calls.flatMap(({ records }) => records))
        for (const { resolve } of calls) resolve()
      } catch (thrown) {
        if (calls.length === 1) calls[0]!.reject(translate(thrown))
        // One's bad record is not the others' trouble.
        else
          for (const call of calls)
            await send(call.records).then(call.resolve, (error) => call.reject(translate(error)))
      }
    }
    sending = false
  }

  async function send(records: readonly LogRecord[]): Promise<void> {
    let messages: Message[] = []
    let bytes = 0
    for (const record of records) {
      const message = messageOf(record, topicOf(record.topic))
      if (messages.length > 0 && bytes + message.value.length > SEND_BYTES) {
        await sendSome(messages)
        messages = []
        bytes = 0
      }
      messages.push(message)
      bytes += message.value.length + 200
    }
    await sendSome(messages)
  }

  function sendSome(messages: Message[]): Promise<unknown> {
    return producer.use(async (client) => {
      try {
        // The client would send all of it again when one partition has moved, although the others have taken their part.
        return await client.send({ messages, repeatOnStaleMetadata: false })
      } catch (thrown) {
        if (isUnsettled(thrown)) client.clearMetadata()
        throw thrown
      }
    })
  }

  // --- reading --------------------------------------------------------------------------------------------------------------------
  function openReader(): LogReader {
    const reader = createKafkaReader({
      consumer: renewed(() => new Consumer({ ...settings, groupId: `${prefix}.none`, metadataMaxAge: 300_000 })),
      topicOf,
      translate,
      async currentId(topic) {
        const { name } = topicOf(topic)
        return (await metadata([name])).topics.get(name)?.id
      },
      onClose: () => readers.delete(reader),
    })
    readers.add(reader)
    return reader
  }

  /** Looks through the log for people; one search at a time, with a reader that stays open for the next. */
  let searches: Promise<unknown> = Promise.resolve()
  let searcher: LogReader | undefined
  async function search(want: Want, end: number, id: string): Promise<number | undefined> {
    searcher ??= openReader()
    let { next } = want
    while (next < Math.min(end, want.next + SEARCHED)) {
      const found = await searcher.poll([{ ...want, next }], 500, 0)
      if (found.length === 0) return undefined
      const record = found.find((candidate) => candidate.id === id)
      if (record) return record.offset
      next = found.at(-1)!.offset + 1
    }
    return undefined
  }

  const hintTopic: KafkaTopic = await ask(async () => {
    const name = nameOf('hints')
    await makeTopics([name], 1, 3_600_000)
    return (await settled([name])).topics[0]!
  }).catch(async (thrown: unknown) => {
    await Promise.allSettled([admin.close(), producer.close()])
    throw thrown
  })
  const hints = createKafkaHints({
    self: randomUUID(),
    topic: hintTopic,
    producer: renewed(() => new Producer({ ...settings, acks: 1 })),
    translate,
    openReader,
    end: async () => (await ask(() => offsets([hintTopic], LATEST))).get(hintTopic.name)![0]!,
    onError,
  })
  ensured.set(hints.topic, hintTopic)
  hints.start()
  let closing: Promise<void> | undefined

  return {
    ensureTopics: (topics, partitions) => ask(() => ensureTopics(topics, partitions)),
    publish(records) {
      if (records.length === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        waiting.push({ records, resolve, reject })
        void sendAll()
      })
    },
    reader: openReader,
    hint: hints.send,
    onHint: hints.on,
    async locate({ topic, partition, id, time }) {
      const known = topicOf(topic)
      const [from, ends] = await ask(() =>
        Promise.all([offsets([known], BigInt(Math.max(0, time - CLOCKS_MS))), offsets([known], LATEST)]),
      )
      const next = from.get(known.name)![partition]!
      if (next < 0) return undefined
      const searched = searches.then(() => search({ topic, partition, next }, ends.get(known.name)![partition]!, id))
      searches = searched.catch(() => {})
      return searched
    },
    async ends(topics) {
      const found = await ask(() => offsets(topics.map(topicOf), LATEST))
      return new Map(topics.map((topic) => [topic, found.get(topicOf(topic).name)!]))
    },
    async showPositions(group, positions) {
      const topics = [...Map.groupBy(positions, ({ topic }) => topic)].map(([topic, some]) => ({
        name: topicOf(topic).name,
        partitionOffsets: some.map(({ partition, next }) => ({ partition, offset: BigInt(next) })),
      }))
      await ask(() => admin.use((client) => client.alterConsumerGroupOffsets({ groupId: nameOf(group), topics })))
    },
    async ping() {
      await ask(() => metadata([hintTopic.name]))
    },
    close() {
      closing ??= (async () => {
        await hints.stop()
        await Promise.all([...readers].map((reader) => reader.close()))
        await Promise.all([producer.close(), admin.close()])
      })()
      return closing
    },
  }
}

interface Message {
  topic: string
  partition: number
  key: Buffer
  value: Buffer
  headers: Map<Buffer, Buffer>
}

const ID = Buffer.from('ce_id')
const TYPE = Buffer.from('ce_type')

const messageOf = ({ id, key, type, body }: LogRecord, { name, partitions }: KafkaTopic): Message => ({
  topic: name,
  partition: partitionOf(key, partitions),
  key: Buffer.from(key),
  value: Buffer.from(body),
  headers: new Map([
    [ID, Buffer.from(id)],
    [TYPE, Buffer.from(type)],
  ]),
})
