import type { ServiceChoreography } from '@pando/saga'
import { accounts, friends, posts, rooms, sessions } from './reactions.ts'
import type { Presence } from './presence.ts'
import type { UserStreams } from './stream.ts'

/** What the notification service hears; it says nothing to other services. `streams` and `presence` are where it tells users. */
export const choreographyOf = (streams: UserStreams, presence: Pick<Presence, 'tell'>) =>
  ({
    topic: 'notification',
    reactions: [rooms(streams, presence), friends(streams, presence), posts(streams), accounts(streams), sessions],
  }) as const satisfies ServiceChoreography
