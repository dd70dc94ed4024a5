/** A record as it is given to the log: `id` is a UUID, unique per event, `body` JSON text; the partition follows from the key. */
export interface LogRecord {
  id: string
  topic: string
  key: string
  type: string
  body: string
}

/** A record as it stands in the log. */
export interface PlacedRecord extends LogRecord {
  partition: number
  offset: number
}

/** The next offset asked for of one partition. */
export interface Want {
  topic: string
  partition: number
  next: number
}

/** What a position is valid for: the log's identity, and the oldest offset it still has, for each topic. */
export interface TopicState {
  /** Changes when the topic is another one (made again, restored): positions of the old one mean nothing in it. */
  logId: string
  /** The oldest offset of each partition that can still be read. */
  first: readonly number[]
}

/** Asks for records; one per consumer. */
export interface LogReader {
  /**
   * Records from the wanted offsets on: per partition in the order of offsets, without gaps, at most about `max` in all, as soon as
   * there are any; an empty list after `waitMs`, or when `wake` was called. The same want gives the same records again. No partition
   * waits for ever behind another one's backlog. One poll at a time.
   * Rejects with SAGA_OFFSET_OUT_OF_LOG when a wanted offset is older than the log keeps or beyond its end.
   */
  poll(wants: readonly Want[], max: number, waitMs: number): Promise<PlacedRecord[]>
  /** Ends the wait of the running poll, or else of the next one. */
  wake(): void
  /** Ends a running poll; later ones are empty. */
  close(): Promise<void>
}

/**
 * A log that is asked for records from an offset. It knows no group, no owner and no committed offset: those are the consumer's.
 * Every implementation passes the suite of `conformance.ts`.
 */
export interface Transport {
  /**
   * Makes the topics that are missing, each with so many partitions, and tells of all of them.
   * Rejects with SAGA_PARTITIONS_CHANGED when one has another number.
   */
  ensureTopics(topics: readonly string[], partitions: number): Promise<Map<string, TopicState>>
  /**
   * Resolves when every record is durable; records of one key keep their order. When it rejects, any of them may be in the log or not:
   * publishing them again is safe, since readers drop repeated ids. Only for topics that were ensured.
   */
  publish(records: readonly LogRecord[]): Promise<void>
  reader(): LogReader
  /** Tells all processes on this log, this one excluded; best effort: may be lost, repeated, or come late. At most about 4 KB. */
  hint(text: string): void
  /** Calls `listener`, which must not throw, with every hint of other processes; the returned function ends that. */
  onHint(listener: (text: string) => void): () => void
  /**
   * The offset of the record with this id that was written at about `time` (ms), or undefined; for people's eyes: it may search.
   */
  locate(record: { topic: string; partition: number; id: string; time: number }): Promise<number | undefined>
  /** The offset after the newest record of each partition, for these ensured topics. For figures. */
  ends(topics: readonly string[]): Promise<Map<string, readonly number[]>>
  /**
   * Shows how far `group` has read to the log's own tools (lag monitors), where it has such. It means nothing to readers; best effort.
   */
  showPositions?(group: string, positions: readonly Want[]): Promise<void>
  /** Resolves when the log answers; rejects when it does not. For health checks. */
  ping(): Promise<void>
  /** Ends what waits, and all hints; may be called again. */
  close(): Promise<void>
}
