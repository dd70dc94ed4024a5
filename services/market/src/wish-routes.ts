import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@pando/saga'
import {
  decodeCursor,
  encodeCursor,
  isUuid,
  listOf,
  ListQuery,
  Problem,
  problems,
  requireUser,
  userOf,
} from '@pando/service'
import { Type } from 'typebox'
import { PostView, postView } from './post.ts'
import { byOf } from './routes.ts'
import { listWishes, type Wishes } from './wishes.ts'

export const wishRoutes: FastifyPluginAsyncTypebox<{ db: Database; wishes: Wishes }> = async (app, { db, wishes }) => {
  for (const [method, wished, summary] of [
    ['PUT', true, 'Wish for a post'],
    ['DELETE', false, 'Wish for it no longer'],
  ] as const)
    app.route({
      method,
      url: '/api/posts/:id/wish',
      onRequest: requireUser,
      schema: {
        summary,
        params: Type.Object({ id: Type.String() }),
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found') },
      },
      async handler(request, reply) {
        const { id } = request.params
        if (!isUuid(id)) throw new Problem('not_found')
        await wishes.set({ postId: id, wished, by: byOf(request) })
        return reply.code(204).send(null)
      },
    })

  app.get(
    '/api/me/wishes',
    {
      onRequest: requireUser,
      schema: {
        summary: 'What one wishes for, the newest wish first',
        querystring: ListQuery,
        response: { 200: listOf(PostView), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const before = cursor === undefined ? undefined : decodeCursor(cursor, isWishId)
      const rows = await listWishes(db, userOf(request).userId, before, limit + 1)
      const page = rows.slice(0, limit)
      return {
        items: page.map(postView).filter((post) => post !== undefined),
        next: rows.length > limit ? encodeCursor(page.at(-1)!.wishId) : null,
      }
    },
  )
}

const isWishId = (value: unknown): value is number => Number.isSafeInteger(value)
