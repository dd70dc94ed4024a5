import {
  marketImageStored,
  marketKeywordMatched,
  marketPostChanged,
  marketPostCreated,
  marketPostDeleted,
  marketPostStatusChanged,
  marketPostWished,
} from '@pando/events'
import type { ServiceChoreography } from '@pando/saga'
import { postDeletion, postDeletionHooks, type StartDeletions } from './post-deletion.ts'
import { members, profiles, rooms } from './reactions.ts'

/** What the market hears and says. Its reactions start deletions of posts by `start`. */
export const choreographyOf = (start: StartDeletions) =>
  ({
    topic: 'market',
    reactions: [members(start), profiles, rooms],
    sagas: [{ definition: postDeletion, hooks: postDeletionHooks }],
    appends: [
      marketImageStored,
      marketPostCreated,
      marketPostChanged,
      marketPostStatusChanged,
      marketPostWished,
      marketKeywordMatched,
    ],
    forOutside: [marketPostDeleted],
  }) as const satisfies ServiceChoreography
