import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { STREAM_EVENTS } from '@pando/events/stream'
import type { Hub, StreamSource } from '@pando/saga'
import { lastEventIdOf, Problem, problems, requireUser, StreamQuery, userOf } from '@pando/service'
import { Type } from 'typebox'
import type { EndedSessions } from './ended-sessions.ts'

/** The one stream of a user: everything that happens to them, as it happens. */
export const streamRoutes: FastifyPluginAsyncTypebox<{
  hub: Hub
  source: StreamSource
  endedSessions: Pick<EndedSessions, 'has'>
}> = async (app, { hub, source, endedSessions }) => {
  app.get(
    '/api/stream',
    {
      exposeHeadRoute: false,
      onRequest: requireUser,
      schema: {
        summary: "One's stream, as Server-Sent Events",
        description: `From after \`Last-Event-ID\` (or \`lastEventId\`), else from now on. Events: ${Object.keys(
          STREAM_EVENTS,
        )
          .map((type) => `\`${type}\``)
          .join(', ')}; \`reset\` when the id cannot be served, \`hb\` every 30 s, \`busy\` when there are too many.`,
        querystring: StreamQuery,
        response: {
          200: { description: 'The stream', content: { 'text/event-stream': { schema: Type.String() } } },
          ...problems('unauthenticated', 'validation_failed'),
        },
      },
    },
    async (request, reply) => {
      const { userId, sessionId, expiresAt } = userOf(request)
      const cursor = lastEventIdOf(request)
      // Its token may still be good, but its streams have ended: one that began now would outlive them.
      if (await endedSessions.has(sessionId)) throw new Problem('unauthenticated', { detail: 'The session has ended.' })
      reply.hijack()
      hub.open(reply.raw, {
        source,
        stream: userId,
        cursor,
        owner: userId,
        session: sessionId,
        expiresAt: expiresAt.getTime(),
      })
      return reply
    },
  )
}
