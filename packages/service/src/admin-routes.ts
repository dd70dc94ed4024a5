import type { SagaPlace, SagaStatus } from '@pando/saga'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AdminSource, AdminSources, Parked, ParkedPlace, SagaWithOwner } from './admin.ts'
import { accessTokenOf, requireAdmin } from './auth.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { Problem } from './problem.ts'
import { SagaStatusSchema, SagaViewSchema } from './saga-view.ts'
import { isUuid, listOf, ListQuery, nullable, problems, Time } from './schema.ts'

const SagaRow = Type.Object({ ...SagaViewSchema.properties, ownerId: nullable(Type.String()) }, { title: 'OwnedSaga' })
const History = Type.Object(
  {
    eventId: Type.String(),
    type: Type.String(),
    version: Type.Integer(),
    service: Type.String(),
    causationId: nullable(Type.String()),
    recordedAt: Time,
    receivedAt: Time,
    attempt: Type.Integer(),
    topic: Type.String(),
    partition: Type.Integer(),
    offset: nullable(Type.Integer()),
    data: Type.Unknown(),
  },
  { title: 'HistoryEvent' },
)
const SagaWithHistory = Type.Object(
  { ...SagaRow.properties, history: Type.Array(History) },
  { title: 'SagaWithHistory' },
)
const ParkedRow = Type.Object(
  {
    service: Type.String(),
    key: Type.String(),
    since: Time,
    error: Type.String(),
    attempts: Type.Integer(),
    events: Type.Array(
      Type.Object({ id: Type.String(), type: Type.String(), time: nullable(Type.String()), data: Type.Unknown() }),
    ),
  },
  { title: 'Parked' },
)
const LagRow = Type.Object(
  {
    service: Type.String(),
    outbox: Type.Object({ rows: Type.Integer(), oldestMs: Type.Integer() }),
    partitions: Type.Array(
      Type.Object({
        group: Type.String(),
        topic: Type.String(),
        partition: Type.Integer(),
        next: Type.Integer(),
        behind: Type.Integer(),
      }),
    ),
  },
  { title: 'Lag' },
)
const ParkedKeyParams = Type.Object({ service: Type.String(), key: Type.String() })

/** `/api/admin/…` over the services that `sources` speak for, those elsewhere with the token of the admin who asks. */
export const adminRoutes: FastifyPluginAsyncTypebox<{ sources: AdminSources }> = async (app, { sources }) => {
  app.addHook('onRequest', requireAdmin)
  const of = (request: FastifyRequest): readonly AdminSource[] => sources(accessTokenOf(request) ?? '')
  const sourceOf = (request: FastifyRequest, service: string): AdminSource => {
    const source = of(request).find((one) => one.service === service)
    if (!source) throw new Problem('not_found')
    return source
  }

  app.get(
    '/api/admin/sagas',
    {
      schema: {
        summary: 'Sagas, failed and overdue first',
        querystring: Type.Object({
          ...ListQuery.properties,
          type: Type.Optional(Type.String({ maxLength: 64 })),
          status: Type.Optional(SagaStatusSchema),
        }),
        response: { 200: listOf(SagaRow), ...problems('unauthenticated', 'forbidden', 'validation_failed') },
      },
    },
    async (request) => {
      const { type, status, cursor, limit } = request.query
      const after = cursor === undefined ? undefined : decodeCursor(cursor, isPlace)
      const pages = await Promise.all(
        of(request).map((source) => source.sagas({ type, status: status as SagaStatus | undefined, limit, after })),
      )
      const merged = pages.flatMap(({ items }) => items).toSorted(byUrgency)
      const items = merged.slice(0, limit)
      const more = merged.length > limit || pages.some(({ next }) => next !== null)
      return { items, next: more && items.length > 0 ? encodeCursor(placeOf(items.at(-1)!)) : null }
    },
  )

  app.get(
    '/api/admin/sagas/:type/:id',
    {
      schema: {
        summary: 'A saga with the events it is made of',
        params: Type.Object({ type: Type.String(), id: Type.String() }),
        response: {
          200: SagaWithHistory,
          ...problems('unauthenticated', 'forbidden', 'not_found'),
        },
      },
    },
    async (request) => {
      const { type, id } = request.params
      if (!isUuid(id)) throw new Problem('not_found')
      const found = await Promise.all(of(request).map((source) => source.saga(type, id)))
      const saga = found.find((one) => one !== undefined)
      if (!saga) throw new Problem('not_found')
      return saga
    },
  )

  app.get(
    '/api/admin/parked',
    {
      schema: {
        summary: 'Keys whose events wait for a person, those that wait longest first',
        querystring: ListQuery,
        response: { 200: listOf(ParkedRow), ...problems('unauthenticated', 'forbidden', 'validation_failed') },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const after = cursor === undefined ? undefined : decodeCursor(cursor, isParkedPlace)
      const pages = await Promise.all(of(request).map((source) => source.parked({ limit, after })))
      // Each service's are in order already.
      const merged = pages.flatMap(({ items }) => items).toSorted(byPatience)
      const items = merged.slice(0, limit)
      const more = merged.length > limit || pages.some((page) => page.more)
      return { items, next: more && items.length > 0 ? encodeCursor(parkedPlaceOf(items.at(-1)!)) : null }
    },
  )

  app.post(
    '/api/admin/parked/:service/:key/redrive',
    {
      schema: {
        summary: 'Sends the events of a key again, in order',
        params: ParkedKeyParams,
        response: {
          202: Type.Unsafe<undefined>({ type: 'null', description: 'They are on their way' }),
          ...problems('unauthenticated', 'forbidden', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const { service, key } = request.params
      await sourceOf(request, service).redrive(key)
      return reply.code(202).send(undefined)
    },
  )

  app.post(
    '/api/admin/parked/:service/:key/discard',
    {
      schema: {
        summary: 'Gives the events of a key up; they are kept with the reason',
        params: ParkedKeyParams,
        body: Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }),
        response: { 204: Type.Null(), ...problems('unauthenticated', 'forbidden', 'not_found', 'validation_failed') },
      },
    },
    async (request, reply) => {
      const { service, key } = request.params
      await sourceOf(request, service).discard(key, request.body.reason)
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/api/admin/lag',
    {
      schema: {
        summary: 'How far behind each service is',
        querystring: ListQuery,
        response: { 200: listOf(LagRow), ...problems('unauthenticated', 'forbidden', 'validation_failed') },
      },
    },
    async (request) =>
      pageOf(await Promise.all(of(request).map((source) => source.lag())), request.query, ({ service }) => service),
  )
}

const isUrgent = ({ status, endedAt, deadline }: SagaWithOwner): boolean =>
  status === 'failed' || (endedAt === null && Date.parse(deadline) < Date.now())
const placeOf = (saga: SagaWithOwner): SagaPlace => ({ urgent: isUrgent(saga), startedAt: saga.startedAt, id: saga.id })

function byUrgency(a: SagaWithOwner, b: SagaWithOwner): number {
  if (isUrgent(a) !== isUrgent(b)) return isUrgent(a) ? -1 : 1
  if (a.startedAt !== b.startedAt) return a.startedAt > b.startedAt ? -1 : 1
  return a.id > b.id ? -1 : 1
}

const parkedPlaceOf = ({ since, service, key }: Parked): ParkedPlace => ({ since, service, key })

function byPatience(a: Parked, b: Parked): number {
  if (a.since !== b.since) return a.since < b.since ? -1 : 1
  return a.service === b.service ? 0 : a.service < b.service ? -1 : 1
}

function isParkedPlace(value: unknown): value is ParkedPlace {
  if (typeof value !== 'object' || value === null) return false
  const { since, service, key } = value as Record<string, unknown>
  return (
    typeof since === 'string' &&
    !Number.isNaN(Date.parse(since)) &&
    typeof service === 'string' &&
    typeof key === 'string'
  )
}

function isPlace(value: unknown): value is SagaPlace {
  if (typeof value !== 'object' || value === null) return false
  const { urgent, startedAt, id } = value as Record<string, unknown>
  return (
    typeof urgent === 'boolean' &&
    typeof startedAt === 'string' &&
    !Number.isNaN(Date.parse(startedAt)) &&
    typeof id === 'string' &&
    isUuid(id)
  )
}
