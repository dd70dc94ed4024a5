import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Hub, Sagas, SagaState } from '@pando/saga'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { requireToken, userOf } from './auth.ts'
import { StreamQuery } from './last-event-id.ts'
import { Problem } from './problem.ts'
import { streamSaga } from './saga-stream.ts'
import { SagaViewSchema } from './saga-view.ts'
import { isUuid, problems } from './schema.ts'

/**
 * The sagas of a service, as they are and as they go on: for their owners and for admins, also when the account is gone. `type`: the only
 * one there is, without it whichever is asked for. Of an `openType` the id is a secret, and whoever has it may watch.
 */
export const sagaRoutes: FastifyPluginAsyncTypebox<{
  hub: Hub
  sagas: Sagas
  type?: string
  openType?: string
}> = async (app, { hub, sagas, type: only, openType }) => {
  const path = `/api/sagas/${only ?? ':type'}/:id`
  // The contract names these once, for all types.
  const hide = only !== undefined
  const Params = Type.Object({ ...(only === undefined && { type: Type.String() }), id: Type.String() })

  async function visible(request: FastifyRequest): Promise<SagaState> {
    const { type = only ?? '', id } = request.params as { type?: string; id: string }
    const state = isUuid(id) ? await sagas.find(type, id) : undefined
    if (!state) throw new Problem('not_found')
    if (type === openType) return state
    await requireToken(request)
    const { userId, role } = userOf(request)
    if (role !== 'admin' && state.ownerId !== userId) throw new Problem('not_found')
    return state
  }

  app.get(
    path,
    {
      schema: {
        hide,
        summary: 'A saga as it is',
        description: `For its owner and for admins${openType === undefined ? '' : `; a ${openType} for whoever holds its id`}.`,
        params: Params,
        response: { 200: SagaViewSchema, ...problems('unauthenticated', 'not_found') },
      },
    },
    async (request) => (await visible(request)).view,
  )

  app.get(
    `${path}/events`,
    {
      exposeHeadRoute: false,
      schema: {
        hide,
        summary: 'A saga as it goes on, as Server-Sent Events',
        description:
          'One `saga` event for each version, from the first one or from after `Last-Event-ID` (or `lastEventId`); ends after the last. 204 when that was seen.',
        params: Params,
        querystring: StreamQuery,
        response: {
          200: { description: 'The stream', content: { 'text/event-stream': { schema: Type.String() } } },
          204: Type.Null({ description: 'The saga has ended and the client has seen it' }),
          ...problems('unauthenticated', 'not_found', 'validation_failed'),
        },
      },
    },
    async (request, reply) => {
      const state = await visible(request)
      streamSaga({ hub, sagas }, { request, reply, state, identity: request.identity })
      return reply
    },
  )
}
