import { Type } from 'typebox'
import { Refusal, User, userEvent } from './event.ts'

/** The user has a place in the chat. */
export const chatMemberAdded = userEvent('chat.member-added', Type.Object(User))
/** The chat cannot do its part for this user. */
export const chatMemberRefused = userEvent('chat.member-refused', Type.Object(Refusal))
/** The member can neither write nor be written to; nothing is removed. */
export const chatMemberSuspended = userEvent('chat.member-suspended', Type.Object(User))
/** The member is as before. */
export const chatMemberRestored = userEvent('chat.member-restored', Type.Object(User))
/** Nothing of the member is left in the chat. */
export const chatMemberRemoved = userEvent('chat.member-removed', Type.Object(User))
