import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { UserView } from '@pando/events/views'
import type { Database } from '@pando/saga'
import { isUuid, listOf, ListQuery, Problem, problems, requireUser, Time, userOf } from '@pando/service'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { block, BLOCKS, unblock } from './blocks.ts'
import { bookmarkOf } from './bookmark.ts'
import { addFriend, FRIENDS, removeFriend } from './friends.ts'
import { listPeople, type Pair } from './people.ts'

const People = listOf(Type.Object({ user: UserView, since: Time }, { title: 'Person' }))
const params = Type.Object({ userId: Type.String() })

/** Friends, and those whom one does not want to hear from. */
export const friendRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  for (const [path, summary, query] of [
    ['/api/friends', "One's friends", FRIENDS],
    ['/api/blocks', 'Whom one has blocked', BLOCKS],
  ] as const)
    app.get(
      path,
      {
        onRequest: requireUser,
        schema: {
          summary,
          description: 'Newest first.',
          querystring: ListQuery,
          response: { 200: People, ...problems('unauthenticated', 'validation_failed') },
        },
      },
      (request) => {
        const { cursor, limit } = request.query
        return listPeople(db, query, { userId: userOf(request).userId, after: bookmarkOf(cursor), limit })
      },
    )

  app.put(
    '/api/friends/:userId',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Become friends',
        description: 'Each is then a friend of the other.',
        params,
        response: {
          204: Type.Null(),
          ...problems('unauthenticated', 'forbidden', 'not_found', 'validation_failed'),
        },
      },
    },
    async (request, reply) => {
      await addFriend(db, pairOf(request))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/friends/:userId',
    {
      onRequest: requireUser,
      schema: {
        summary: 'End a friendship, for both',
        params,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found', 'validation_failed') },
      },
    },
    async (request, reply) => {
      await removeFriend(db, pairOf(request))
      return reply.code(204).send(null)
    },
  )

  app.put(
    '/api/blocks/:userId',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Block somebody',
        description: 'They cannot open a room with you, add you, or write to you in a direct room. A friendship stays.',
        params,
        response: {
          204: Type.Null(),
          ...problems('unauthenticated', 'forbidden', 'not_found', 'validation_failed'),
        },
      },
    },
    async (request, reply) => {
      await block(db, pairOf(request))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/blocks/:userId',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Unblock somebody',
        params,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found', 'validation_failed') },
      },
    },
    async (request, reply) => {
      await unblock(db, pairOf(request))
      return reply.code(204).send(null)
    },
  )
}

/** Who asks, and whom they mean. Throws not_found for an id that is none, validation_failed for oneself. */
function pairOf(request: FastifyRequest<{ Params: { userId: string } }>): Pair {
  const { userId } = userOf(request)
  const otherId = request.params.userId
  if (!isUuid(otherId)) throw new Problem('not_found')
  if (otherId === userId)
    throw new Problem('validation_failed', { errors: [{ path: '/userId', message: 'must be somebody else' }] })
  return { userId, otherId, traceparent: request.traceparent }
}
