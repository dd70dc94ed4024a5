import type { StreamEventData, StreamEventType } from '@pando/events/stream'
import type { Streams, Tx } from '@pando/saga'

/** What reactions need of the streams of users. A user's stream is called by the user's id. */
export type UserStreams = Pick<Streams, 'append' | 'close'>

/** Tells these users of something, once the transaction is committed; nobody twice. */
export function tell<Type extends StreamEventType>(
  streams: Pick<UserStreams, 'append'>,
  tx: Tx,
  userIds: Iterable<string>,
  type: Type,
  data: StreamEventData[Type],
): void {
  streams.append(
    tx,
    [...new Set(userIds)].map((userId) => ({ stream: userId, type, data })),
  )
}
