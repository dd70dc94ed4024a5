import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { userProfileChanged } from '@pando/events'
import { append, type Database, type Hub, type Sagas, transaction } from '@pando/saga'
import {
  decodeCursor,
  encodeCursor,
  isUuid,
  listOf,
  ListQuery,
  Problem,
  problems,
  repeatAnswer,
  requireToken,
  requireUser,
  SagaViewSchema,
  type SessionStreams,
  streamNewSaga,
  streamSaga,
  userOf,
} from '@pando/service'
import { Type } from 'typebox'
import { deleteAccount } from './account-deletion.ts'
import {
  findAccount,
  isUsernameTaken,
  passwordHashOf,
  publicProfile,
  searchProfiles,
  updateAccount,
} from './accounts.ts'
import type { Passwords } from './passwords.ts'
import {
  DisplayName,
  KeysSchema,
  Locale,
  NewcomerSchema,
  Password,
  PresentedPassword,
  profileOf,
  ProfileSchema,
  PublicProfileSchema,
  SignedUpSchema,
  USERNAME,
} from './schemas.ts'
import type { Sessions } from './sessions.ts'
import type { SigningKey } from './signing-key.ts'
import { type SignedUp, signUp, type SignUps } from './sign-up.ts'

export interface UserRouteOptions {
  db: Database
  hub: Hub
  sagas: Sagas
  signUps: SignUps
  passwords: Passwords
  sessions: Sessions
  signingKey: SigningKey
  sessionStreams: SessionStreams
}

export const routes: FastifyPluginAsyncTypebox<UserRouteOptions> = async (app, options) => {
  const { db, hub, sagas, signUps, passwords, sessions, signingKey } = options
  const locationOf = (id: string): string => `/api/sagas/${signUp.type}/${id}`
  const answerOf = (signedUp: SignedUp) => ({
    status: 202,
    headers: { 'content-type': 'application/json; charset=utf-8', location: locationOf(signedUp.id) },
    body: JSON.stringify(signedUp),
  })

  app.post(
    '/api/users',
    {
      config: { idempotency: 'manual' },
      schema: {
        summary: 'Sign up',
        description: 'Starts the saga `sign-up`. With `Accept: text/event-stream` the answer is its stream.',
        body: NewcomerSchema,
        response: {
          200: { description: "The saga's stream", content: { 'text/event-stream': { schema: Type.String() } } },
          202: SignedUpSchema,
          ...problems(
            'validation_failed',
            'malformed_json',
            'username_taken',
            'email_taken',
            'idempotency_mismatch',
            'unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const wantsStream = /\btext\/event-stream\b/.test(request.headers.accept ?? '')
      const { firstAnswer, claim, traceparent } = request
      if (firstAnswer) {
        const state =
          wantsStream && firstAnswer.status === 202
            ? await sagas.find(signUp.type, JSON.parse(firstAnswer.body ?? '{}').id)
            : undefined
        if (!state) return repeatAnswer(reply, firstAnswer)
        reply.raw.setHeader('location', locationOf(state.view.id))
        streamSaga({ hub, sagas }, { request, reply, state })
        return reply
      }
      // Member by member: a body may have more than the schema names, and `role` is not the client's to choose.
      const { username, password, displayName, email } = request.body
      const signedUp = await signUps.start({ username, password, displayName, email, claim, answerOf, traceparent })
      if (!wantsStream) return reply.code(202).header('location', locationOf(signedUp.id)).send(signedUp)
      const { userId: _, ...view } = signedUp
      streamNewSaga({ hub, sagas }, reply, { view, location: locationOf(view.id) })
      return reply
    },
  )

  app.get(
    '/api/usernames/:username',
    {
      schema: {
        summary: 'Whether a username is free',
        params: Type.Object({ username: Type.String() }),
        response: { 200: Type.Object({ available: Type.Boolean() }) },
      },
    },
    async ({ params: { username } }) => {
      // What is no username is nobody's, and nobody can have it.
      if (!new RegExp(USERNAME).test(username)) return { available: false }
      return { available: !(await isUsernameTaken(db, username)) }
    },
  )

  app.get(
    '/api/users/:id',
    {
      onRequest: requireUser,
      schema: {
        summary: 'What everybody sees of a user',
        params: Type.Object({ id: Type.String() }),
        response: { 200: PublicProfileSchema, ...problems('unauthenticated', 'not_found') },
      },
    },
    async ({ params: { id } }) => {
      const profile = isUuid(id) ? await publicProfile(db, id) : undefined
      if (!profile) throw new Problem('not_found')
      return profile
    },
  )

  app.get(
    '/api/users',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Users whose username or display name begins with a text',
        querystring: Type.Object({ ...ListQuery.properties, query: Type.String({ minLength: 1, maxLength: 40 }) }),
        response: { 200: listOf(PublicProfileSchema), ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async ({ query: { query, cursor, limit } }) => {
      const after = cursor === undefined ? '' : decodeCursor(cursor, (value) => typeof value === 'string')
      const found = await searchProfiles(db, query, after, limit + 1)
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? encodeCursor(items.at(-1)!.username) : null }
    },
  )

  app.get(
    '/api/me',
    {
      onRequest: requireUser,
      schema: { summary: 'Oneself', response: { 200: ProfileSchema, ...problems('unauthenticated') } },
    },
    async (request) => {
      const account = await findAccount(db, userOf(request).userId)
      if (!account) throw new Problem('unauthenticated')
      return profileOf(account)
    },
  )

  app.patch(
    '/api/me',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Change what others see, or the language',
        body: Type.Object({
          displayName: Type.Optional(DisplayName),
          statusMessage: Type.Optional(Type.String({ maxLength: 100 })),
          locale: Type.Optional(Locale),
        }),
        response: { 200: ProfileSchema, ...problems('unauthenticated', 'validation_failed', 'malformed_json') },
      },
    },
    async (request) => {
      const { displayName, statusMessage, locale } = request.body
      const change = {
        ...(displayName !== undefined && { displayName }),
        ...(statusMessage !== undefined && { statusMessage }),
        ...(locale && { locale }),
      }
      const account = await transaction(db, async (tx) => {
        const changed = await updateAccount(tx, userOf(request).userId, change)
        if (changed && (displayName !== undefined || statusMessage !== undefined)) {
          const { id: userId, username } = changed
          const shown = { userId, username, displayName: changed.displayName, statusMessage: changed.statusMessage }
          append(tx, userProfileChanged(shown), { traceparent: request.traceparent })
        }
        return changed
      })
      if (!account) throw new Problem('unauthenticated')
      return profileOf(account)
    },
  )

  app.put(
    '/api/me/password',
    {
      onRequest: requireUser,
      schema: {
        summary: 'Change the password; other sessions end',
        body: Type.Object({ currentPassword: PresentedPassword, newPassword: Password }),
        response: {
          204: Type.Null(),
          ...problems('unauthenticated', 'forbidden', 'validation_failed', 'malformed_json', 'unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { userId, sessionId } = userOf(request)
      const { currentPassword, newPassword } = request.body
      const before = await passwordHashOf(db, userId)
      if (before === undefined || !(await passwords.verify(before, currentPassword)))
        throw new Problem('forbidden', { detail: 'The current password is wrong.' })
      const after = await passwords.hash(newPassword)
      const changed = await db.query(
        'update users.account set password_hash = $3 where id = $1 and password_hash = $2 returning id',
        [userId, before, after],
      )
      if (changed.length === 0)
        throw new Problem('conflict', { detail: 'The password was changed by another request meanwhile.' })
      for (const ended of await sessions.endAll(userId, sessionId)) options.sessionStreams.end(userId, ended)
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/me',
    {
      onRequest: requireToken,
      schema: {
        summary: 'Delete the account',
        description: 'Starts the saga `account-deletion`, or answers with the one that runs.',
        body: Type.Object({ password: PresentedPassword }),
        response: {
          202: SagaViewSchema,
          ...problems('unauthenticated', 'forbidden', 'validation_failed', 'malformed_json', 'unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { userId } = userOf(request)
      const view = await deleteAccount(
        { db, sagas, passwords },
        { userId, password: request.body.password, traceparent: request.traceparent },
      )
      return reply.code(202).header('location', `/api/sagas/${view.type}/${view.id}`).send(view)
    },
  )

  app.get(
    '/api/.well-known/jwks.json',
    { schema: { summary: 'The public keys of access tokens', response: { 200: KeysSchema } } },
    async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=60')
      return signingKey.jwks as never
    },
  )
}
