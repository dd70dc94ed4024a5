import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { RoomView } from '@pando/events/views'
import type { Database } from '@pando/saga'
import { isUuid, listOf, ListQuery, Problem, problems, requireUser, userOf } from '@pando/service'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { bookmarkOf } from './bookmark.ts'
import type { ChoreBell } from './chore.ts'
import { createRoomList } from './room-list.ts'
import { addMembers, leaveRoom } from './room-members.ts'
import { type Actor, findRoom, muteRoom, type Opened, openDirect, openGroup, openTrade } from './rooms.ts'

const params = Type.Object({ id: Type.String() })
// An id that is none is nobody's, and not found.
const Id = Type.String({ maxLength: 64 })
const UserIds = Type.Array(Id, { minItems: 1, maxItems: 299 })

const Direct = Type.Object({ type: Type.Literal('direct'), userId: Id })
const Group = Type.Object({
  type: Type.Literal('group'),
  name: Type.String({ minLength: 1, maxLength: 60 }),
  userIds: UserIds,
})
const Trade = Type.Object({ type: Type.Literal('trade'), postId: Id })
/** What is wrong is told of the kind of room that was asked for, not of all. */
const NewRoom = Type.Unsafe<Static<typeof Direct> | Static<typeof Group> | Static<typeof Trade>>({
  type: 'object',
  required: ['type'],
  properties: { type: { enum: ['direct', 'group', 'trade'] } },
  discriminator: { propertyName: 'type' },
  oneOf: [Direct, Group, Trade],
})

/** Rooms, who is in them, and what each has set for themselves. */
export const roomRoutes: FastifyPluginAsyncTypebox<{ db: Database; chores: ChoreBell }> = async (
  app,
  { db, chores },
) => {
  const listRooms = createRoomList(db)

  app.get(
    '/api/rooms',
    {
      onRequest: requireUser,
      schema: {
        summary: "One's rooms",
        description: 'Last activity first. A room that becomes active meanwhile moves to the front.',
        querystring: ListQuery,
        response: { 200: listOf(RoomView), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request, reply) => {
      const { cursor, limit } = request.query
      const page = await listRooms({ userId: userOf(request).userId, after: bookmarkOf(cursor), limit })
      // Some 20 kB of what is exactly as the schema says: for that the engine's own is faster than the one made from the schema.
      return reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(page)
    },
  )

  app.post(
    '/api/rooms',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Open a room',
        description:
          'A group of friends, the direct room with somebody, or the room with the seller of a post: if there is one already, that one (200).',
        body: NewRoom,
        response: {
          200: RoomView,
          201: RoomView,
          ...problems(
            'unauthenticated',
            'forbidden',
            'not_found',
            'post_not_open',
            'validation_failed',
            'malformed_json',
          ),
        },
      },
    },
    async (request, reply) => {
      const { room, isNew } = await open(actorOf(request), request.body)
      if (!isNew) return room
      return reply.code(201).header('location', `/api/rooms/${room.id}`).send(room)
    },
  )

  async function open(actor: Actor, wanted: Static<typeof NewRoom>): Promise<Opened> {
    switch (wanted.type) {
      case 'direct':
        if (!isUuid(wanted.userId)) throw new Problem('not_found', { detail: `There is no user ${wanted.userId}.` })
        if (wanted.userId === actor.userId)
          throw new Problem('validation_failed', { errors: [{ path: '/userId', message: 'must be somebody else' }] })
        return openDirect(db, actor, wanted.userId)
      case 'group':
        return { room: await openGroup(db, actor, wanted), isNew: true }
      case 'trade':
        return openTrade(db, actor, wanted.postId)
    }
  }

  app.get(
    '/api/rooms/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: 'A room that one is in',
        params,
        response: { 200: RoomView, ...problems('unauthenticated', 'not_found') },
      },
    },
    (request) => findRoom(db, actorOf(request), roomIdOf(request)),
  )

  app.patch(
    '/api/rooms/:id/me',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Mute a room for oneself, or not',
        params,
        body: Type.Object({ muted: Type.Boolean() }),
        response: {
          200: RoomView,
          ...problems('unauthenticated', 'not_found', 'validation_failed', 'malformed_json'),
        },
      },
    },
    (request) => muteRoom(db, actorOf(request), { roomId: roomIdOf(request), muted: request.body.muted }),
  )

  app.post(
    '/api/rooms/:id/members',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Add friends to a group',
        description: 'Who is in it already stays as they are. A room has 300 members at most.',
        params,
        body: Type.Object({ userIds: UserIds }),
        response: {
          200: RoomView,
          ...problems('unauthenticated', 'forbidden', 'not_found', 'conflict', 'validation_failed', 'malformed_json'),
        },
      },
    },
    (request) => addMembers(db, actorOf(request), { roomId: roomIdOf(request), userIds: request.body.userIds }),
  )

  app.delete(
    '/api/rooms/:id/members/me',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Leave a group',
        description: 'With the last member the room goes, and its messages.',
        params,
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found', 'conflict') },
      },
    },
    async (request, reply) => {
      await leaveRoom({ db, chores }, actorOf(request), roomIdOf(request))
      return reply.code(204).send(null)
    },
  )
}

const actorOf = (request: FastifyRequest): Actor => ({
  userId: userOf(request).userId,
  traceparent: request.traceparent,
})

function roomIdOf({ params: { id } }: FastifyRequest<{ Params: { id: string } }>): string {
  if (!isUuid(id)) throw new Problem('not_found')
  return id
}
