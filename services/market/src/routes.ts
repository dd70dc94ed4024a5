import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Database, transaction } from '@pando/saga'
import {
  decodeCursor,
  encodeCursor,
  type IdempotencyStore,
  isUuid,
  listOf,
  ListQuery,
  nullable,
  optionalUser,
  Problem,
  problems,
  requireUser,
  SagaViewSchema,
  userOf,
} from '@pando/service'
import { Type } from 'typebox'
import { awaitMember } from './members.ts'
import { CATEGORIES, Category, findPost, PostStatus, PostView, postView, STATUSES } from './post.ts'
import { isPlace, listPosts, type Place, type Sort, SORTS } from './post-list.ts'
import { deletePost, type StartDeletions } from './post-deletion.ts'
import { type By, changePost, createPost, setStatus } from './posts.ts'
import { lengthOf, WORD_AT_LEAST, wordsOf } from './search-text.ts'
import type { Views } from './views.ts'

const Title = Type.String({ minLength: 1, maxLength: 100 })
const Content = Type.String({ minLength: 1, maxLength: 5_000 })
const Price = Type.Integer({ minimum: 0, maximum: 100_000_000 })
const ImageIds = Type.Array(Type.String(), { maxItems: 10 })
const PostId = Type.Object({ id: Type.String() })
/** An empty one is none: a form that has not been filled in. */
const orEmpty = (values: readonly string[]) => Type.Optional(Type.Enum(['', ...values]))

export const routes: FastifyPluginAsyncTypebox<{
  db: Database
  store: IdempotencyStore
  views: Views
  start: StartDeletions
  /** Called when there is a new post. */
  onPost: () => void
}> = async (app, { db, store, views, start, onPost }) => {
  app.post(
    '/api/posts',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Put something up for sale',
        body: Type.Object(
          {
            title: Title,
            content: Content,
            price: Price,
            category: Type.Optional(nullable(Category)),
            imageIds: Type.Optional(ImageIds),
          },
          { title: 'PostDraft' },
        ),
        response: {
          201: PostView,
          ...problems(
            'unauthenticated',
            'forbidden',
            'validation_failed',
            'malformed_json',
            'idempotency_mismatch',
            'unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const by = byOf(request)
      const { title, content, price, category = null, imageIds = [] } = request.body
      await awaitMember(db, by.userId)
      const { claim } = request
      const post = await transaction(db, async (tx) => {
        const made = await createPost(tx, { title, content, price, category, imageIds }, by)
        const headers = { 'content-type': 'application/json; charset=utf-8', location: locationOf(made.id) }
        const answer = { status: 201, headers, body: JSON.stringify(made) }
        // With the post or not at all: a repeat finds both or neither.
        if (claim && (await store.storeAnswers(tx, [{ claim, answer }])).size === 0)
          throw new Problem('unavailable', { detail: 'This took too long; try again.' })
        tx.afterCommit(onPost)
        return made
      })
      return reply.code(201).header('location', locationOf(post.id)).send(post)
    },
  )

  app.get(
    '/api/posts',
    {
      onRequest: optionalUser,
      schema: {
        summary: 'Posts, all or those that have some words',
        description:
          '`query`: words that must all be in the title or the content, also as a part of a word, whatever their case; one of them of two characters or more. `price` ascends, the oldest of one price first; `popular` is by wishes, then views, then the newest. A post that nobody changes between two pages is on exactly one of them.',
        querystring: Type.Object({
          ...ListQuery.properties,
          query: Type.Optional(Type.String({ maxLength: 100 })),
          category: orEmpty(CATEGORIES),
          status: orEmpty(STATUSES),
          sellerId: Type.Optional(Type.String({ maxLength: 100 })),
          sort: Type.Enum(SORTS, { default: 'latest', title: 'Sort' }),
        }),
        response: { 200: listOf(PostView), ...problems('validation_failed') },
      },
    },
    async (request) => {
      const { query, category, status, sellerId, sort, cursor, limit } = request.query
      const words = query ? wordsOf(query) : []
      if (query && !words.some((word) => lengthOf(word) >= WORD_AT_LEAST))
        throw new Problem('validation_failed', {
          errors: [{ path: '/query', message: `must have a word of ${WORD_AT_LEAST} characters or more` }],
        })
      if (sellerId && !isUuid(sellerId)) return { items: [], next: null }
      const rows = await listPosts(db, {
        sort,
        words,
        category: category || undefined,
        status: status || undefined,
        sellerId: sellerId || undefined,
        viewerId: request.identity?.userId,
        after: cursor === undefined ? undefined : decodeCursor(cursor, isCursorOf(sort))[1],
        limit: limit + 1,
      })
      const page = rows.slice(0, limit)
      return {
        items: page.map(postView).filter((post) => post !== undefined),
        next: rows.length > limit ? encodeCursor([sort, page.at(-1)!.place]) : null,
      }
    },
  )

  app.get(
    '/api/posts/:id',
    {
      onRequest: optionalUser,
      schema: {
        summary: 'A post; looking at it counts, once for each viewer and day',
        params: PostId,
        response: { 200: PostView, ...problems('not_found') },
      },
    },
    async (request) => {
      const { id } = request.params
      if (!isUuid(id)) throw new Problem('not_found')
      const userId = request.identity?.userId
      await views.count(id, { userId, address: request.ip })
      const post = await findPost(db, id, userId)
      if (!post) throw new Problem('not_found')
      return post
    },
  )

  app.patch(
    '/api/posts/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: "Change one's post",
        params: PostId,
        body: Type.Object({
          title: Type.Optional(Title),
          content: Type.Optional(Content),
          price: Type.Optional(Price),
          category: Type.Optional(nullable(Category)),
          imageIds: Type.Optional(ImageIds),
        }),
        response: {
          200: PostView,
          ...problems('unauthenticated', 'forbidden', 'not_found', 'validation_failed', 'malformed_json'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      if (!isUuid(id)) throw new Problem('not_found')
      const { title, content, price, category, imageIds } = request.body
      const change = {
        ...(title !== undefined && { title }),
        ...(content !== undefined && { content }),
        ...(price !== undefined && { price }),
        ...(category !== undefined && { category }),
        ...(imageIds !== undefined && { imageIds }),
      }
      return changePost(db, id, change, byOf(request))
    },
  )

  app.put(
    '/api/posts/:id/status',
    {
      onRequest: requireUser,
      schema: {
        summary: "Reserve, sell or reopen one's post",
        description:
          'From open to reserved and back, from both to sold, which is final. The same status again changes nothing.',
        params: PostId,
        body: Type.Object({ status: PostStatus, buyerId: Type.Optional(Type.String()) }),
        response: {
          200: PostView,
          ...problems('unauthenticated', 'forbidden', 'not_found', 'conflict', 'validation_failed', 'malformed_json'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      if (!isUuid(id)) throw new Problem('not_found')
      const { status, buyerId } = request.body
      return setStatus(db, id, { status, buyerId }, byOf(request))
    },
  )

  app.delete(
    '/api/posts/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: "Delete one's post, or as an admin any",
        description:
          'It is gone at once. The saga `post-deletion` deletes its rooms and their messages, and counts them.',
        params: PostId,
        response: { 202: SagaViewSchema, ...problems('unauthenticated', 'forbidden', 'not_found') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!isUuid(id)) throw new Problem('not_found')
      const isAdmin = userOf(request).role === 'admin'
      const view = await deletePost(db, start, id, { ...byOf(request), isAdmin })
      return reply.code(202).header('location', `/api/sagas/${view.type}/${view.id}`).send(view)
    },
  )
}

const locationOf = (id: string): string => `/api/posts/${id}`

export const byOf = (request: Parameters<typeof userOf>[0]): By => ({
  userId: userOf(request).userId,
  traceparent: request.traceparent,
})

const isCursorOf =
  (sort: Sort) =>
  (value: unknown): value is [Sort, Place] =>
    Array.isArray(value) && value.length === 2 && value[0] === sort && isPlace(sort, value[1])
