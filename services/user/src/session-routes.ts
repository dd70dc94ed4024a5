import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  clearSessionCookies,
  decodeCursor,
  encodeCursor,
  isUuid,
  limitLogIns,
  listOf,
  ListQuery,
  optionalUser,
  Problem,
  problems,
  refreshTokenOf,
  requireUser,
  type SessionStreams,
  setSessionCookies,
  userOf,
} from '@pando/service'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { DeviceSchema, PresentedPassword, profileOf, SessionSchema } from './schemas.ts'
import type { LoggedIn, Sessions } from './sessions.ts'

const USER_AGENT_AT_MOST = 200

export interface SessionRouteOptions {
  sessions: Sessions
  sessionStreams: SessionStreams
}

export const sessionRoutes: FastifyPluginAsyncTypebox<SessionRouteOptions> = async (
  app,
  { sessions, sessionStreams },
) => {
  app.post(
    '/api/sessions',
    {
      preHandler: limitLogIns,
      schema: {
        summary: 'Log in',
        body: Type.Object({ username: Type.String({ maxLength: 200 }), password: PresentedPassword }),
        response: {
          201: SessionSchema,
          ...problems('invalid_credentials', 'validation_failed', 'rate_limited', 'unavailable'),
        },
      },
    },
    async (request, reply) => {
      const userAgent = (request.headers['user-agent'] ?? '').slice(0, USER_AGENT_AT_MOST)
      return answer(reply, await sessions.logIn({ ...request.body, userAgent }))
    },
  )

  app.post(
    '/api/sessions/refresh',
    {
      schema: {
        summary: 'New tokens for the refresh cookie',
        response: { 201: SessionSchema, ...problems('unauthenticated', 'origin_refused') },
      },
    },
    async (request, reply) => {
      const token = refreshTokenOf(request)
      if (token === undefined) throw new Problem('unauthenticated')
      return answer(reply, await sessions.refresh(token))
    },
  )

  app.get(
    '/api/sessions',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Where one is logged in',
        querystring: ListQuery,
        response: { 200: listOf(DeviceSchema), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request) => {
      const { userId, sessionId } = userOf(request)
      const { cursor, limit } = request.query
      const before = cursor === undefined ? undefined : decodeCursor(cursor, isSessionId)
      const found = await sessions.list(userId, before, limit + 1)
      const items = found.slice(0, limit).map((device) => ({
        ...device,
        createdAt: device.createdAt.toISOString(),
        lastUsedAt: device.lastUsedAt.toISOString(),
        current: device.id === sessionId,
      }))
      return { items, next: found.length > limit ? encodeCursor(items.at(-1)!.id) : null }
    },
  )

  app.delete(
    '/api/sessions',
    {
      onRequest: optionalUser,
      schema: {
        summary: 'Log out here',
        response: { 204: Type.Null(), ...problems('unauthenticated', 'origin_refused') },
      },
    },
    async (request, reply) => {
      const session = await ownSession(request)
      if (!session) throw new Problem('unauthenticated')
      await sessions.end(session.userId, session.sessionId)
      sessionStreams.end(session.userId, session.sessionId)
      clearSessionCookies(reply)
      return reply.code(204).send(null)
    },
  )

  // A browser whose access token has ended can still log out, by its refresh cookie.
  async function ownSession(request: FastifyRequest): Promise<{ userId: string; sessionId: string } | undefined> {
    if (request.identity) return request.identity
    const token = refreshTokenOf(request)
    return token === undefined ? undefined : sessions.ownerOf(token)
  }

  app.delete(
    '/api/sessions/all',
    {
      onRequest: requireUser,
      schema: { summary: 'Log out everywhere', response: { 204: Type.Null(), ...problems('unauthenticated') } },
    },
    async (request, reply) => {
      const { userId } = userOf(request)
      await sessions.endAll(userId)
      sessionStreams.end(userId)
      clearSessionCookies(reply)
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/sessions/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Log out one device',
        params: Type.Object({ id: Type.String() }),
        response: { 204: Type.Null(), ...problems('unauthenticated', 'not_found') },
      },
    },
    async (request, reply) => {
      const { userId, sessionId } = userOf(request)
      const { id } = request.params
      if (!isUuid(id) || !(await sessions.end(userId, id))) throw new Problem('not_found')
      sessionStreams.end(userId, id)
      if (id === sessionId) clearSessionCookies(reply)
      return reply.code(204).send(null)
    },
  )
}

const isSessionId = (value: unknown): value is string => typeof value === 'string' && isUuid(value)

function answer(reply: FastifyReply, { account, tokens, expiresAt }: LoggedIn) {
  setSessionCookies(reply, tokens)
  reply.code(201)
  return { user: profileOf(account), accessToken: tokens.accessToken, expiresAt: expiresAt.toISOString() }
}
