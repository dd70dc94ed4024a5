import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Hub, Sagas, SagaState } from '@pando/saga'
import { isUuid, Problem, problems, requireToken, SagaViewSchema, userOf } from '@pando/service'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { streamSaga } from './saga-stream.ts'
import { signUp } from './sign-up.ts'

const Params = Type.Object({ type: Type.String(), id: Type.String() })

/** The sagas of users: a sign-up for whoever holds its id, any other for its owner and admins, also when the account is gone. */
export const sagaRoutes: FastifyPluginAsyncTypebox<{ hub: Hub; sagas: Sagas }> = async (app, { hub, sagas }) => {
  async function visible(request: FastifyRequest, { type, id }: { type: string; id: string }): Promise<SagaState> {
    const state = isUuid(id) ? await sagas.find(type, id) : undefined
    if (!state) throw new Problem('not_found')
    // A sign-up's id is 122 random bits that only its starter was told; nobody has a token yet.
    if (type === signUp.type) return state
    await requireToken(request)
    const { userId, role } = userOf(request)
    if (role !== 'admin' && state.ownerId !== userId) throw new Problem('not_found')
    return state
  }

  app.get(
    '/api/sagas/:type/:id',
    {
      schema: {
        summary: 'A saga as it is',
        description: 'A sign-up for whoever holds its id; any other saga for its owner and for admins.',
        params: Params,
        response: { 200: SagaViewSchema, ...problems('unauthenticated', 'not_found') },
      },
    },
    async (request) => (await visible(request, request.params)).view,
  )

  app.get(
    '/api/sagas/:type/:id/events',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'A saga as it goes on, as Server-Sent Events',
        description:
          'One `saga` event for each version, from the first one or from after `Last-Event-ID` (or `lastEventId`); ends after the last. 204 when that was seen.',
        params: Params,
        querystring: Type.Object({ lastEventId: Type.Optional(Type.String()) }),
        response: {
          200: { description: 'The stream', content: { 'text/event-stream': { schema: Type.String() } } },
          204: Type.Null({ description: 'The saga has ended and the client has seen it' }),
          ...problems('unauthenticated', 'not_found', 'validation_failed'),
        },
      },
    },
    async (request, reply) => {
      const state = await visible(request, request.params)
      streamSaga({ hub, sagas }, { request, reply, state, identity: request.identity })
      return reply
    },
  )
}
