import type { Hub, Sagas, SagaState, SagaView } from '@pando/saga'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { lastEventIdOf } from './last-event-id.ts'
import type { Identity } from './verifier.ts'

/**
 * Answers with the stream of a saga from where the client stopped; 204 when it has seen the last version, which ends an EventSource.
 * `identity`: the owner, whose log-out ends the stream; nobody for a sign-up.
 */
export function streamSaga(
  { hub, sagas }: { hub: Hub; sagas: Sagas },
  {
    request,
    reply,
    state,
    identity,
  }: { request: FastifyRequest; reply: FastifyReply; state: SagaState; identity?: Identity | undefined },
): void {
  const cursor = lastEventIdOf(request)
  const { view } = state
  if (view.endedAt !== null && cursor?.epoch === sagas.source.epoch && cursor.seq === view.version) {
    reply.code(204).send()
    return
  }
  reply.hijack()
  hub.open(reply.raw, {
    source: sagas.source,
    stream: view.id,
    from: 'first',
    cursor,
    ...(identity && { owner: identity.userId, session: identity.sessionId, expiresAt: identity.expiresAt.getTime() }),
  })
}

/** Answers with the stream of a saga whose first version was committed in this very turn of the event loop. */
export function streamNewSaga(
  { hub, sagas }: { hub: Hub; sagas: Sagas },
  reply: FastifyReply,
  { view, location }: { view: SagaView; location: string },
): void {
  reply.hijack()
  hub.open(reply.raw, {
    source: sagas.source,
    stream: view.id,
    from: 'first',
    known: [{ seq: 1, type: 'saga', data: JSON.stringify(view) }],
    headers: { location },
  })
}
