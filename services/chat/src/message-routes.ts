import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { MessageView } from '@pando/events/views'
import type { Database } from '@pando/saga'
import {
  type Ephemeral,
  type Identity,
  isUuid,
  ListQuery,
  nullable,
  Problem,
  problems,
  requireUser,
  userOf,
  Uuid,
} from '@pando/service'
import { Type } from 'typebox'
import { deleteMessage, listMessages } from './messages.ts'
import { createReadState } from './read-state.ts'
import { type Content, createSending } from './sending.ts'
import { tellTyping } from './typing.ts'
import type { Place } from './writers.ts'

const InRoom = Type.Object({ id: Type.String() })
const Bound = Type.Optional(Type.Integer({ minimum: 0 }))

/** What happens within a room: messages, how far they are read, and who is typing. */
export const messageRoutes: FastifyPluginAsyncTypebox<{ db: Database; ephemeral: Ephemeral }> = async (
  app,
  { db, ephemeral },
) => {
  const send = createSending(db)
  const read = createReadState(db)

  app.get(
    '/api/rooms/:id/messages',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Messages of a room',
        description:
          'The newest, or those `before` a seq, newest first; or those `after` one, oldest first. `next` is the number for the same parameter.',
        params: InRoom,
        querystring: Type.Object({ before: Bound, after: Bound, limit: ListQuery.properties.limit }),
        response: {
          200: Type.Object({ items: Type.Array(MessageView), next: nullable(Type.Integer()) }),
          ...problems('unauthenticated', 'not_found', 'validation_failed'),
        },
      },
    },
    async (request) => {
      const { before = Number.MAX_SAFE_INTEGER, after, limit } = request.query
      if (request.query.before !== undefined && after !== undefined)
        throw new Problem('validation_failed', {
          errors: [{ path: '/after', message: 'cannot be together with before' }],
        })
      // One more than asked for, which tells whether there is a next page.
      const found = await listMessages(db, placeOf(request.params, userOf(request)), {
        limit: limit + 1,
        ...(after === undefined ? { before } : { after }),
      })
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? items.at(-1)!.seq : null }
    },
  )

  app.post(
    '/api/rooms/:id/messages',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Send a message',
        description:
          'A text or an image of your own, which is good for one message. The same `clientMessageId` again is the same message: 200, or 409 when the body is another one.',
        params: InRoom,
        body: Type.Object({
          clientMessageId: Uuid,
          text: Type.Optional(Type.String({ minLength: 1, maxLength: 4000 })),
          imageId: Type.Optional(Uuid),
        }),
        response: {
          200: MessageView,
          201: MessageView,
          ...problems('unauthenticated', 'forbidden', 'not_found', 'conflict', 'validation_failed', 'malformed_json'),
        },
      },
    },
    async (request, reply) => {
      const { message, isNew } = await send({
        ...placeOf(request.params, userOf(request)),
        clientMessageId: request.body.clientMessageId,
        ...contentOf(request.body),
        traceparent: request.traceparent,
      })
      return reply.code(isNew ? 201 : 200).send(message)
    },
  )

  app.delete(
    '/api/rooms/:id/messages/:seq',
    {
      onRequest: requireUser,
      schema: {
        summary: "Delete one's own message: a tombstone stays",
        params: Type.Object({ id: Type.String(), seq: Type.String() }),
        response: { 204: Type.Null(), ...problems('unauthenticated', 'forbidden', 'not_found') },
      },
    },
    async (request, reply) => {
      const place = placeOf(request.params, userOf(request))
      const { seq } = request.params
      if (!/^[1-9]\d{0,14}$/.test(seq)) throw new Problem('not_found')
      await deleteMessage(db, { ...place, seq: Number(seq), traceparent: request.traceparent })
      return reply.code(204).send(null)
    },
  )

  app.put(
    '/api/rooms/:id/read',
    {
      onRequest: requireUser,
      schema: {
        summary: 'How far one has read; it only goes forward',
        params: InRoom,
        body: Type.Object({ seq: Type.Integer({ minimum: 1 }) }),
        response: {
          204: Type.Null(),
          ...problems('unauthenticated', 'not_found', 'validation_failed', 'malformed_json'),
        },
      },
    },
    async (request, reply) => {
      await read({
        ...placeOf(request.params, userOf(request)),
        seq: request.body.seq,
        traceparent: request.traceparent,
      })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/api/rooms/:id/typing',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Tell the others that one is typing',
        params: InRoom,
        response: {
          // Without a body.
          202: Type.Unsafe<undefined>(Type.Null()),
          ...problems('unauthenticated', 'forbidden', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      await tellTyping(db, ephemeral, placeOf(request.params, userOf(request)))
      return reply.code(202).send(undefined)
    },
  )
}

/** What is to be sent. Throws validation_failed unless it is a text or an image. */
function contentOf({ text, imageId }: { text?: string; imageId?: string }): Content {
  if (imageId !== undefined) {
    if (text === undefined) return { imageId }
    throw new Problem('validation_failed', { errors: [{ path: '/imageId', message: 'cannot be together with text' }] })
  }
  if (text === undefined)
    throw new Problem('validation_failed', { errors: [{ path: '/text', message: 'is required without an imageId' }] })
  // As it will be stored, so that it is the same one when it comes again.
  return { text: text.toWellFormed() }
}

/** The room that is asked for, and who asks. Throws not_found for an id that is none. */
function placeOf({ id }: { id: string }, { userId }: Identity): Place {
  if (!isUuid(id)) throw new Problem('not_found')
  return { roomId: id, userId }
}
