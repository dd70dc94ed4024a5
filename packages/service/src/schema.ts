import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { problemCodes, problemTable } from './problem.ts'
import type { ProblemCode } from './problem.ts'

const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
const uuid = new RegExp(UUID)

/** An id of ours. Lower case only, so that ids can be compared as strings. */
export const Uuid = Type.String({ pattern: UUID })

/** Whether a text, say a part of a path, is an id as `Uuid` describes it. */
export function isUuid(text: string): boolean {
  return uuid.test(text)
}

/** When a UUIDv7 was made: its first 48 bits are the milliseconds since 1970 (RFC 9562). */
export function timeOf(id: string): Date {
  return new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
}

/** A time: ISO 8601 in UTC with milliseconds, as `Date.toISOString` makes it. */
export const Time = Type.String({ format: 'date-time' })

/** The schema or null. For a schema with a `type` of its own; faster to check and to write than a union. */
export function nullable<T extends TSchema & { type: string }>(schema: T) {
  return Type.Unsafe<Static<T> | null>({
    ...schema,
    type: [schema.type, 'null'],
    ...('enum' in schema && { enum: [...(schema.enum as unknown[]), null] }),
  })
}

/** The shape of every list: a page of items and the cursor of the next page, null on the last. */
export function listOf<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), next: nullable(Type.String()) })
}

/** The query of every list; spread `ListQuery.properties` to add to it. */
export const ListQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 1024 })),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 30 }),
})

export const ProblemBody = Type.Object(
  {
    type: Type.String({ format: 'uri-reference' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Enum(problemCodes),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
    requestId: Type.Optional(Type.String()),
  },
  { title: 'Problem' },
)

interface ProblemResponse {
  description: string
  content: { 'application/problem+json': { schema: typeof ProblemBody } }
}

type StatusOf<C extends ProblemCode> = (typeof problemTable)[C]['status']

/**
 * The part of a route's `response` map that documents its problems; codes of one status share an entry.
 * @example response: { 200: Profile, ...problems('unauthenticated', 'not_found') }
 */
export function problems<C extends ProblemCode>(...codes: C[]): Record<StatusOf<C>, ProblemResponse> {
  const responses: Partial<Record<number, ProblemResponse>> = {}
  for (const [status, ofStatus] of Map.groupBy(codes, (code) => problemTable[code].status)) {
    responses[status] = {
      description: ofStatus.join(', '),
      content: { 'application/problem+json': { schema: ProblemBody } },
    }
  }
  return responses as Record<StatusOf<C>, ProblemResponse>
}
