import type { SagaView } from '@pando/saga'
import { Type } from 'typebox'
import { Refusal, User, userEvent } from './event.ts'

// Past tense, in words of the domain; no password, hash, token or e-mail address in any of them, and no more than receivers need.

/** What others may show of a user beside what is theirs. */
const Profile = { ...User, username: Type.String(), displayName: Type.String() }

/** A person wants to join; the name and the e-mail address are reserved. Starts the saga `sign-up`. */
export const userSignUpStarted = userEvent('user.sign-up-started', Type.Object(Profile))
/** Everybody has done their part: the person is a user. */
export const userRegistered = userEvent('user.registered', Type.Object(User))
/** Somebody refused, or the time was up: whatever this sign-up made is to be undone. */
export const userSignUpFailed = userEvent('user.sign-up-failed', Type.Object(Refusal))

/** A user wants to leave: suspend what is theirs, remove nothing yet. Starts the saga `account-deletion`. */
export const userDeletionStarted = userEvent('user.deletion-started', Type.Object(User))
/** Everybody has suspended: the user is gone, and what is theirs is to be removed for good. */
export const userDeleted = userEvent('user.deleted', Type.Object(User))
/** Somebody refused, or the time was up: everything is to be as before. */
export const userDeletionRefused = userEvent('user.deletion-refused', Type.Object(Refusal))

/** What others show of this user has changed. */
export const userProfileChanged = userEvent(
  'user.profile-changed',
  Type.Object({ ...Profile, statusMessage: Type.String() }),
)

/** Sessions of this user have ended: their streams are to end. */
export const userSessionsEnded = userEvent(
  'user.sessions-ended',
  Type.Object({ ...User, sessionIds: Type.Array(Type.String({ format: 'uuid' }), { minItems: 1 }) }),
)
/** A saga of this user's own has a new version, which is shown to them. */
export const userSagaChanged = userEvent(
  'user.saga-changed',
  Type.Object({
    ...User,
    saga: Type.Unsafe<SagaView>({ type: 'object', required: ['id', 'type', 'status', 'version', 'steps'] }),
  }),
)
