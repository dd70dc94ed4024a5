import {
  customerWalletClosed,
  customerWalletCloseRefused,
  customerWalletOpened,
  customerWalletRefused,
  customerWalletReopened,
  userDeleted,
  userDeletionRefused,
  userDeletionStarted,
  userSignUpFailed,
  userSignUpStarted,
} from '@pando/events'
import { append, type NewEvent, on, type Reaction } from '@pando/saga'
import { type Decision, occurrence, participate } from '@pando/service'
import { holdings, saveWallets } from './wallets.ts'

/** The wallet's part in the sagas of users. */
export const wallets: Reaction = on(
  [userSignUpStarted, userSignUpFailed, userDeletionStarted, userDeletionRefused, userDeleted],
  async (events, tx) => {
    const occurrences = events.map(occurrence)
    const before = await holdings.load(tx, occurrences)
    const hasMoney = (userId: string) =>
      (before.byUser.get(userId)?.balance ?? 0) > 0 ? 'wallet_not_empty' : undefined
    const { decisions, changes } = participate(before, occurrences, hasMoney)
    await saveWallets(tx, changes)
    events.forEach((event, i) => {
      const answer = answerOf(event, decisions[i])
      if (answer) append(tx, answer, { causedBy: event })
    })
  },
  {
    emits: [
      customerWalletOpened,
      customerWalletRefused,
      customerWalletClosed,
      customerWalletCloseRefused,
      customerWalletReopened,
    ],
  },
)

function answerOf(
  { type, data: { userId } }: { type: string; data: { userId: string } },
  decision: Decision,
): NewEvent | undefined {
  if (!decision) return undefined
  if ('refuse' in decision) {
    const refused = type === userSignUpStarted.type ? customerWalletRefused : customerWalletCloseRefused
    return refused({ userId, reason: decision.refuse })
  }
  switch (decision.effect) {
    case 'create':
      return customerWalletOpened({ userId })
    case 'release':
      return customerWalletReopened({ userId })
    case 'undo':
    case 'hold':
      return customerWalletClosed({ userId })
    case 'erase':
      return undefined
  }
}
