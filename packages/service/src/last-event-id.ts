import { type Cursor, parseCursor, SagaError } from '@pando/saga'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Problem } from './problem.ts'

/** The query of every stream; spread `StreamQuery.properties` to add to it. */
export const StreamQuery = Type.Object({ lastEventId: Type.Optional(Type.String()) })

/**
 * The id that a client of a stream stopped at: the header wins over the query. Undefined for none.
 * @throws {Problem} validation_failed for one that is malformed
 */
export function lastEventIdOf(request: FastifyRequest): Cursor | undefined {
  const header = request.headers['last-event-id']
  const { lastEventId } = request.query as { lastEventId?: string }
  try {
    return parseCursor(typeof header === 'string' ? header : lastEventId)
  } catch (thrown) {
    if (thrown instanceof SagaError) throw new Problem('validation_failed', { detail: `${thrown.message}.` })
    throw thrown
  }
}
