// Two sagas to test with, in the shape of Pando's: a sign-up that two services take part in, and the deletion of an account.
import { defineEvent, defineSaga } from '../src/index.ts'

type User = { userId: string }
type SignUp = { userId: string; name: string }
type Refused = { userId: string; reason: string }

/** A kind of event whose data are texts, keyed by the user; its topic is the first word of its name. */
const event = <const Name extends string, Data extends User>(name: Name, fields: readonly (keyof Data & string)[]) =>
  defineEvent({
    name,
    version: 1,
    topic: name.slice(0, name.indexOf('.')),
    key: (data: Data) => data.userId,
    data(value): Data {
      const source = Object(value) as Record<string, unknown>
      const missing = fields.find((field) => typeof source[field] !== 'string')
      if (missing) throw new Error(`${missing} is no text`)
      return Object.fromEntries(fields.map((field) => [field, source[field]])) as Data
    },
  })

export const signUpStarted = event<'user.sign-up-started', SignUp>('user.sign-up-started', ['userId', 'name'])
export const registered = event<'user.registered', User>('user.registered', ['userId'])
export const signUpFailed = event<'user.sign-up-failed', Refused>('user.sign-up-failed', ['userId', 'reason'])
export const memberAdded = event<'chat.member-added', User>('chat.member-added', ['userId'])
export const memberRefused = event<'chat.member-refused', Refused>('chat.member-refused', ['userId', 'reason'])
export const memberRemoved = event<'chat.member-removed', User>('chat.member-removed', ['userId'])
export const walletOpened = event<'customer.wallet-opened', User>('customer.wallet-opened', ['userId'])
export const walletRefused = event<'customer.wallet-refused', Refused>('customer.wallet-refused', ['userId', 'reason'])
export const walletClosed = event<'customer.wallet-closed', User>('customer.wallet-closed', ['userId'])

/** What `signUp` is declared as, for variants of it. */
export const declaration = {
  type: 'sign-up',
  starts: signUpStarted,
  deadlineMs: 30_000,
  own: 'user',
  steps: {
    chat: { done: memberAdded, failed: memberRefused, undone: memberRemoved },
    customer: { done: walletOpened, failed: walletRefused, undone: walletClosed },
  },
  completes: registered,
  fails: signUpFailed,
}
export const signUp = defineSaga(declaration)

export const deletionStarted = event<'user.deletion-started', User>('user.deletion-started', ['userId'])
export const deleted = event<'user.deleted', User>('user.deleted', ['userId'])
const deletionRefused = event<'user.deletion-refused', Refused>('user.deletion-refused', ['userId', 'reason'])
const memberSuspended = event<'chat.member-suspended', User>('chat.member-suspended', ['userId'])
const memberKept = event<'chat.member-kept', Refused>('chat.member-kept', ['userId', 'reason'])
const memberRestored = event<'chat.member-restored', User>('chat.member-restored', ['userId'])
const walletKept = event<'customer.wallet-close-refused', Refused>('customer.wallet-close-refused', [
  'userId',
  'reason',
])
const walletReopened = event<'customer.wallet-reopened', User>('customer.wallet-reopened', ['userId'])

/** `walletClosed` undoes a step of a sign-up and does one of a deletion: answers belong to the saga that they name. */
export const accountDeletion = defineSaga({
  type: 'account-deletion',
  starts: deletionStarted,
  deadlineMs: 60_000,
  own: 'user',
  steps: {
    chat: { done: memberSuspended, failed: memberKept, undone: memberRestored },
    customer: { done: walletClosed, failed: walletKept, undone: walletReopened },
  },
  completes: deleted,
  fails: deletionRefused,
})
