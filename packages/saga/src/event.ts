import { randomUUIDv7 } from 'node:crypto'
import { SagaError } from './errors.ts'

/** What travels: the facts about an event, and its data. `time` is ISO 8601 in UTC with milliseconds. */
export interface Envelope<Type extends string = string, Data = unknown> {
  readonly id: string
  readonly type: Type
  readonly version: number
  readonly key: string
  readonly time: string
  readonly sagaType?: string
  readonly sagaId?: string
  /** The id of the event that this one answers; null for the first of a chain. */
  readonly causationId: string | null
  /** The id of the first event of the chain. */
  readonly correlationId: string
  readonly traceparent?: string
  /** How many tries the reaction that made this event took, from 1. */
  readonly attempt: number
  readonly data: Data
}

/** An event as a reaction gets it: the envelope and where in the log it stood. */
export interface Received<Type extends string = string, Data = unknown> extends Envelope<Type, Data> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** How many tries this event is on in this service, from 1. */
  readonly tries: number
}

/** An event that is about to be appended: all but what `append` adds. */
export interface NewEvent<Data = unknown> {
  readonly kind: EventKind
  readonly data: Data
}

/** What is known of a kind of event whatever its data; for lists of them. */
export interface EventKind {
  readonly type: string
  readonly version: number
  readonly topic: string
  keyOf(data: unknown): string
  /** Data from `unknown`; throws SAGA_EVENT_INVALID with the reason, never with the value. */
  parse(data: unknown): unknown
}

/**
 * A kind of event. Calling it makes an event from data, which is checked, and reduced to the fields that its schema names:
 * `userRegistered({ userId })`.
 */
export interface EventType<Type extends string, Data> extends EventKind {
  (data: Data): NewEvent<Data>
  readonly type: Type
  keyOf(data: Data): string
  parse(data: unknown): Data
}

export type DataOf<E> = E extends EventType<string, infer D> ? D : never
/** The union of received events of several kinds; `type` tells them apart. */
export type ReceivedOf<E> = E extends EventType<infer T, infer D> ? Received<T, D> : never

/** The part of the Standard Schema interface (standardschema.dev, v1) that this package uses. */
export interface StandardSchema<Data> {
  readonly '~standard': {
    readonly validate: (
      value: unknown,
    ) => { value: Data; issues?: undefined } | { issues: readonly { message: string }[] } | Promise<unknown>
  }
}
/** How data is checked: a function that returns the clean data or throws, or any Standard Schema (zod, valibot, arktype, …). */
export type DataSchema<Data> = ((value: unknown) => Data) | StandardSchema<Data>

const NAME = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/

/**
 * Declares a kind of event. `name` is past tense and in domain words (`user.registered`); `version` is a whole number that grows
 * when readers of the old shape would break; `topic` is the log it goes to, `key` what its order is kept by.
 * Throws SAGA_DEFINITION for a name or version that is none.
 */
export function defineEvent<const Type extends string, Data>(definition: {
  name: Type
  version: number
  topic: string
  key: (data: Data) => string
  data: DataSchema<Data>
}): EventType<Type, Data> {
  const { name, version, topic, key } = definition
  if (!NAME.test(name)) throw new SagaError('SAGA_DEFINITION', `event name "${name}" is not like "user.registered"`)
  if (!Number.isInteger(version) || version < 1)
    throw new SagaError('SAGA_DEFINITION', `event "${name}" has version ${version}; versions are whole numbers from 1`)
  const check = parserOf(definition.data)
  const parse = (data: unknown): Data => {
    try {
      return check(data)
    } catch (cause) {
      throw new SagaError(
        'SAGA_EVENT_INVALID',
        `data of ${name} v${version} is not valid: ${String(cause instanceof Error ? cause.message : cause)}`,
      )
    }
  }
  const make = (data: Data): NewEvent<Data> => ({ kind: eventType, data: parse(data) })
  const eventType: EventType<Type, Data> = Object.assign(make, { type: name, version, topic, keyOf: key, parse })
  return eventType
}

function parserOf<Data>(schema: DataSchema<Data>): (value: unknown) => Data {
  if (!('~standard' in schema)) return schema
  return (value) => {
    const result = schema['~standard'].validate(value)
    if (result instanceof Promise) {
      result.catch(() => {})
      throw new Error('an asynchronous schema cannot be used for events')
    }
    // Only the issues tell: valibot gives the value too when it is not valid.
    if (result.issues) throw new Error(result.issues.map((issue) => issue.message).join('; '))
    return result.value
  }
}

/** The event that caused another, or a chain that starts here. */
export interface Cause {
  causedBy?: Envelope
  sagaType?: string
  sagaId?: string
  traceparent?: string | undefined
}

/** The envelope of a new event at `time` (milliseconds since the epoch): the saga, the chain and the trace are those of its cause. */
export function envelopeOf(event: NewEvent, time: number, cause: Cause = {}): Envelope {
  const { causedBy } = cause
  const id = randomUUIDv7()
  const sagaType = cause.sagaType ?? causedBy?.sagaType
  const sagaId = cause.sagaId ?? causedBy?.sagaId
  const traceparent = cause.traceparent ?? causedBy?.traceparent
  return {
    id,
    type: event.kind.type,
    version: event.kind.version,
    key: event.kind.keyOf(event.data),
    time: new Date(time).toISOString(),
    ...(sagaType !== undefined && sagaId !== undefined && { sagaType, sagaId }),
    causationId: causedBy?.id ?? null,
    correlationId: causedBy?.correlationId ?? id,
    ...(traceparent !== undefined && { traceparent }),
    attempt: causedBy && 'tries' in causedBy && typeof causedBy.tries === 'number' ? causedBy.tries : 1,
    data: event.data,
  }
}
