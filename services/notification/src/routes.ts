import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NotificationView, PresenceView } from '@pando/events/views'
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
import { presenceOf } from './contacts.ts'
import type { Notifications } from './notifications.ts'

const ASKED_AT_MOST = 100

const OneNotification = Type.Object({ id: Type.String() })

/** Notifications, and who is there. */
export const routes: FastifyPluginAsyncTypebox<{ db: Database; notifications: Notifications }> = async (
  app,
  { db, notifications },
) => {
  app.get(
    '/api/notifications',
    {
      onRequest: requireUser,
      schema: {
        summary: "One's notifications, newest first",
        querystring: ListQuery,
        response: { 200: listOf(NotificationView), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const before = cursor === undefined ? undefined : decodeCursor(cursor, isNotificationId)
      const found = await notifications.list(userOf(request).userId, before, limit + 1)
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? encodeCursor(items.at(-1)!.id) : null }
    },
  )

  app.get(
    '/api/notifications/summary',
    {
      onRequest: requireUser,
      schema: {
        summary: 'How many notifications are unread',
        description: "`cursor` is the place in one's stream that this is true at: later events change it.",
        response: {
          200: Type.Object({ unread: Type.Integer(), cursor: Type.String() }),
          ...problems('unauthenticated'),
        },
      },
    },
    (request) => notifications.summary(userOf(request).userId),
  )

  app.put(
    '/api/notifications/:id/read',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Mark a notification as read',
        params: OneNotification,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found') },
      },
    },
    async (request, reply) => {
      found(await notifications.read(userOf(request).userId, idOf(request.params)))
      return reply.code(204).send(null)
    },
  )

  app.put(
    '/api/notifications/read',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Mark a notification and all older ones as read',
        body: Type.Object({ upTo: Type.String() }),
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found', 'validation_failed') },
      },
    },
    async (request, reply) => {
      found(await notifications.readUpTo(userOf(request).userId, idOf({ id: request.body.upTo })))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/notifications/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Delete a notification',
        params: OneNotification,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found') },
      },
    },
    async (request, reply) => {
      found(await notifications.remove(userOf(request).userId, idOf(request.params)))
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/api/presence',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Who of these users is online',
        description: 'Told of friends, of members of shared rooms, and of oneself; others are left out.',
        querystring: Type.Object({
          userIds: Type.String({ description: `1 to ${ASKED_AT_MOST} ids with commas between them` }),
        }),
        response: {
          200: Type.Object({ items: Type.Array(PresenceView) }),
          ...problems('unauthenticated', 'validation_failed'),
        },
      },
    },
    async (request) => ({
      items: await presenceOf(db, userOf(request).userId, userIdsOf(request.query.userIds)),
    }),
  )
}

const isNotificationId = (value: unknown): value is string => typeof value === 'string' && isUuid(value)

function idOf({ id }: { id: string }): string {
  found(isUuid(id))
  return id
}

function found(isThere: boolean): void {
  if (!isThere) throw new Problem('not_found', { detail: 'There is no such notification.' })
}

function userIdsOf(text: string): string[] {
  const ids = new Set(text.split(','))
  if (ids.size <= ASKED_AT_MOST && [...ids].every(isUuid)) return [...ids]
  throw new Problem('validation_failed', {
    errors: [{ path: '/userIds', message: `must be 1 to ${ASKED_AT_MOST} ids with commas between them` }],
  })
}
