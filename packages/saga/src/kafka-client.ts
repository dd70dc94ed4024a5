import { readFileSync } from 'node:fs'
import type { BaseOptions } from '@platformatic/kafka'
import { asError, SagaError } from './errors.ts'

/** How to reach a Kafka cluster. */
export interface KafkaConnection {
  /** `host:port` of some brokers; they tell of the others. */
  brokers: readonly string[]
  /** Encrypted; `ca`: the path of the PEM file of an authority that the system does not know. */
  tls?: { ca?: string | undefined } | undefined
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string } | undefined
}

const CONNECT_MS = 5_000
const REQUEST_MS = 10_000

/**
 * What every client of this cluster is made with. Nothing is tried again in here: whoever called has a loop, with a backoff, and knows what
 * may be repeated. Throws what `readFileSync` throws when the authority's file cannot be read.
 */
export function clientOptions({ brokers, tls, sasl }: KafkaConnection): BaseOptions {
  return {
    clientId: 'pando',
    bootstrapBrokers: [...brokers],
    connectTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    timeout: CONNECT_MS,
    retries: 0,
    autocreateTopics: false,
    ...(tls && { tls: tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) } }),
    ...(sasl && { sasl }),
  }
}

/** What a client may take for anything; longer than its own times are, which do not cover all that it waits for. */
const DEADLINE_MS = 15_000

/** A client of the cluster that is made anew after it has failed. */
export interface Renewed<Client> {
  /** Runs a request. Rejects with what it rejects with, or after 15 s. */
  use<T>(request: (client: Client) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Runs requests on a client. One that failed without an answer of a broker is closed and never used again, as a database connection
 * that failed is: what it knew of brokers, sessions and connections may be as broken as that one.
 */
export function renewed<Client extends { close(): Promise<void> }>(make: () => Client): Renewed<Client> {
  let current: { client: Client; uses: number } | undefined
  let closed = false
  const end = (client: Client): Promise<void> => client.close().catch(() => {})

  return {
    async use(request) {
      if (closed) throw new SagaError('SAGA_STOPPED', 'a Kafka client was used after its transport was closed')
      const mine = (current ??= { client: make(), uses: 0 })
      mine.uses++
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS)
      try {
        return await Promise.race([request(mine.client), late.promise])
      } catch (thrown) {
        if (current === mine && !isAnswer(thrown)) current = undefined
        throw thrown
      } finally {
        clearTimeout(timer)
        mine.uses--
        // Not under the requests of others, which may still succeed.
        if (mine !== current && mine.uses === 0) void end(mine.client)
      }
    },
    async close() {
      closed = true
      const last = current
      current = undefined
      if (last) await end(last.client)
    },
  }
}

// A broker's, or the client's own, about what it was asked.
const isAnswer = (thrown: unknown): boolean =>
  codesOf(thrown).length > 0 || (thrown instanceof Error && 'code' in thrown && thrown.code === 'PLT_KFK_USER')

/** The codes of Kafka's protocol that are told apart here (kafka.apache.org/protocol, "Error Codes"). */
export const OFFSET_OUT_OF_RANGE = 1
const UNKNOWN_TOPIC_OR_PARTITION = 3
const LEADER_NOT_AVAILABLE = 5
const NOT_LEADER_OR_FOLLOWER = 6
const MESSAGE_TOO_LARGE = 10
const RECORD_LIST_TOO_LARGE = 18
const TOPIC_ALREADY_EXISTS = 36
const FETCH_SESSION_ID_NOT_FOUND = 70
const INVALID_FETCH_SESSION_EPOCH = 71
const FENCED_LEADER_EPOCH = 74
const UNKNOWN_LEADER_EPOCH = 75
const INVALID_RECORD = 87
const UNKNOWN_TOPIC_ID = 100
const FETCH_SESSION_TOPIC_ID_ERROR = 106
const LOST_SESSION = new Set([FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR])
/** What brokers say of a topic that was made a moment ago. */
const UNSETTLED = new Set([
  UNKNOWN_TOPIC_OR_PARTITION,
  LEADER_NOT_AVAILABLE,
  NOT_LEADER_OR_FOLLOWER,
  FENCED_LEADER_EPOCH,
  UNKNOWN_LEADER_EPOCH,
  UNKNOWN_TOPIC_ID,
])
const REFUSALS = new Set([MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD])

/** All protocol error codes in an error of the client, which nests them. */
function codesOf(thrown: unknown, seen = new Set<unknown>()): number[] {
  if (typeof thrown !== 'object' || thrown === null || seen.has(thrown)) return []
  seen.add(thrown)
  const own = 'apiCode' in thrown && typeof thrown.apiCode === 'number' ? [thrown.apiCode] : []
  const nested = 'errors' in thrown && Array.isArray(thrown.errors) ? thrown.errors : []
  return [...own, ...[...nested, 'cause' in thrown ? thrown.cause : undefined].flatMap((error) => codesOf(error, seen))]
}

export const isTopicThere = (thrown: unknown): boolean => codesOf(thrown).includes(TOPIC_ALREADY_EXISTS)
/** Whether the broker has another idea of the fetch session: the client then begins a new one with the next request. */
export const isSessionLost = (thrown: unknown): boolean => codesOf(thrown).some((code) => LOST_SESSION.has(code))
/** Whether it is only too early to ask. (An unknown topic is also told of by the client itself, without a code.) */
export const isUnsettled = (thrown: unknown): boolean =>
  codesOf(thrown).some((code) => UNSETTLED.has(code)) || deepest(asError(thrown)).message.startsWith('Unknown topic ')

/**
 * An error of the client as one of ours: SAGA_LOG_UNAVAILABLE, which passes, for a cluster that is not there or not ready; as it is when
 * the cluster refuses the records themselves, or they cannot be written at all.
 */
export function kafkaError(thrown: unknown, { brokers }: KafkaConnection): Error {
  const error = asError(thrown)
  if (error instanceof SagaError) return error
  const isOurs = 'code' in error && error.code === 'PLT_KFK_USER' && error.cause instanceof Error
  if (isOurs || codesOf(error).some((code) => REFUSALS.has(code))) return error
  return new SagaError(
    'SAGA_LOG_UNAVAILABLE',
    `Kafka at ${brokers.join(',')} does not do what it was asked: ${deepest(error).message}`,
    { cause: error },
  )
}

// The outer errors only say that something failed.
function deepest(error: Error): Error {
  const [inner] = 'errors' in error && Array.isArray(error.errors) ? error.errors : [error.cause]
  return inner instanceof Error ? deepest(inner) : error
}
