import type { Producer } from '@platformatic/kafka'
import type { Renewed } from './kafka-client.ts'
import type { KafkaTopic } from './kafka-reader.ts'
import { createBell, createLoop } from './loop.ts'
import type { LogReader } from './transport.ts'

/** Hints between processes, by a small topic that all of them read from its end. */
export interface KafkaHints {
  /** Under this name the hints' topic is read. */
  readonly topic: string
  start(): void
  send(text: string): void
  on(listener: (text: string) => void): () => void
  stop(): Promise<void>
}

const TOPIC = 'hints'
/** Hints that wait while the cluster is away; older ones are of no use by then. */
const WAITING = 1_000
const WAIT_MS = 500

/** `self` tells our own hints from others'; `end` is the offset after the newest one. */
export function createKafkaHints(options: {
  self: string
  topic: KafkaTopic
  producer: Renewed<Producer>
  openReader: () => LogReader
  end: () => Promise<number>
  translate: (thrown: unknown) => Error
  onError: (error: Error) => void
}): KafkaHints {
  const { self, topic, producer, openReader, end, translate } = options
  const onError = (error: Error): void => options.onError(translate(error))
  const listeners = new Set<(text: string) => void>()
  let waiting: string[] = []
  let reader: LogReader | undefined
  let next: number | undefined

  const news = createBell()
  const sender = createLoop({
    bell: news,
    onError,
    async turn() {
      await news.wait(60_000)
      if (waiting.length === 0) return
      const texts = waiting
      waiting = []
      const value = Buffer.from(JSON.stringify(texts))
      const messages = [{ topic: topic.name, partition: 0, key: Buffer.from(self), value }]
      await producer.use((client) => client.send({ messages }))
    },
    end: () => producer.close(),
  })

  // Ends at the next record or after a moment; there is nothing else to wait for.
  const idle = createBell()
  const listener = createLoop({
    bell: idle,
    onError,
    async turn() {
      reader ??= openReader()
      // After trouble from the end again: what was missed is made up for by those who wait for hints.
      next ??= await end()
      try {
        const found = await reader.poll([{ topic: TOPIC, partition: 0, next }], 500, WAIT_MS)
        for (const { key, body } of found) if (key !== self) hear(body)
        next = (found.at(-1)?.offset ?? next - 1) + 1
      } catch (thrown) {
        next = undefined
        throw thrown
      }
    },
  })

  function hear(body: string): void {
    let texts: unknown
    try {
      texts = JSON.parse(body)
    } catch {
      return
    }
    if (!Array.isArray(texts)) return
    for (const text of texts) if (typeof text === 'string') for (const tell of listeners) tell(text)
  }

  return {
    topic: TOPIC,
    start() {
      sender.start()
      listener.start()
    },
    send(text) {
      if (waiting.length >= WAITING) waiting.shift()
      waiting.push(text)
      news.ring()
    },
    on(tell) {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    async stop() {
      await Promise.all([sender.stop(), reader?.close(), listener.stop()])
    },
  }
}
