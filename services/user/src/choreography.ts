import { userProfileChanged, userRegistered, userSessionsEnded } from '@pando/events'
import type { ServiceChoreography } from '@pando/saga'
import { accountDeletion, accountDeletionHooks } from './account-deletion.ts'
import { signUp, signUpHooks } from './sign-up.ts'

/** What the user service hears and says. */
export const choreography = {
  topic: 'user',
  sagas: [
    { definition: signUp, hooks: signUpHooks },
    { definition: accountDeletion, hooks: accountDeletionHooks },
  ],
  appends: [userProfileChanged, userSessionsEnded],
  forOutside: [userRegistered],
} as const satisfies ServiceChoreography
