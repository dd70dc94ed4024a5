import {
  chatFriendAdded,
  chatFriendRemoved,
  chatImageShared,
  chatImageWithdrawn,
  chatMemberRemoved,
  chatMessageCreated,
  chatMessageDeleted,
  chatPostRoomsDeleted,
  chatRoomChanged,
  chatRoomDeleted,
  chatRoomOpened,
  chatRoomRead,
} from '@pando/events'
import type { ServiceChoreography } from '@pando/saga'
import type { ChoreBell } from './chore.ts'
import { images, members, posts, profiles } from './reactions.ts'

/** What the chat hears and says. Its reactions ring `chores` when there is one to do. */
export const choreographyOf = (chores: ChoreBell) =>
  ({
    topic: 'chat',
    reactions: [members(chores), profiles(chores), posts(chores), images],
    appends: [
      chatFriendAdded,
      chatFriendRemoved,
      chatMemberRemoved,
      chatImageShared,
      chatImageWithdrawn,
      chatRoomOpened,
      chatRoomChanged,
      chatRoomDeleted,
      chatMessageCreated,
      chatMessageDeleted,
      chatRoomRead,
      chatPostRoomsDeleted,
    ],
  }) as const satisfies ServiceChoreography
