import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@pando/saga'
import { decodeCursor, encodeCursor, listOf, ListQuery, Problem, problems, requireUser, userOf } from '@pando/service'
import { Type } from 'typebox'
import { deleteKeyword, type Keyword, listKeywords, putKeyword } from './keywords.ts'
import { comparable, keywordOf } from './search-text.ts'

export const keywordRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  const params = Type.Object({ keyword: Type.String() })

  app.get(
    '/api/me/keywords',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Words that one wants to hear of when a new title has them',
        querystring: ListQuery,
        response: { 200: listOf(Type.String()), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const after = cursor === undefined ? '' : decodeCursor(cursor, (value) => typeof value === 'string')
      const rows = await listKeywords(db, userOf(request).userId, after, limit + 1)
      const page = rows.slice(0, limit)
      return {
        items: page.map(({ keyword }) => keyword),
        next: rows.length > limit ? encodeCursor(page.at(-1)!.match) : null,
      }
    },
  )

  app.put(
    '/api/me/keywords/:keyword',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Want to hear of a word',
        description: '2 to 30 characters, 30 keywords at most. Capitals make no difference.',
        params,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'validation_failed', 'conflict') },
      },
    },
    async (request, reply) => {
      await putKeyword(db, userOf(request).userId, legalKeyword(request.params.keyword))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/me/keywords/:keyword',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Hear of it no longer',
        params,
        response: { 204: Type.Null(), ...problems('unauthenticated') },
      },
    },
    async (request, reply) => {
      await deleteKeyword(db, userOf(request).userId, comparable(request.params.keyword))
      return reply.code(204).send(null)
    },
  )
}

function legalKeyword(text: string): Keyword {
  const keyword = keywordOf(text)
  if (keyword) return keyword
  throw new Problem('validation_failed', { errors: [{ path: '/keyword', message: 'must have 2 to 30 characters' }] })
}
