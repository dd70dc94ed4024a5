import { Type } from 'typebox'
import { Refusal, User, userEvent } from './event.ts'

/** The user has a wallet. */
export const customerWalletOpened = userEvent('customer.wallet-opened', Type.Object(User))
/** No wallet could be opened for this user. */
export const customerWalletRefused = userEvent('customer.wallet-refused', Type.Object(Refusal))
/** The wallet is closed: for a sign-up that failed it is gone; for a deletion it is empty and takes no more money. */
export const customerWalletClosed = userEvent('customer.wallet-closed', Type.Object(User))
/** The wallet cannot be closed, say because there is money in it. */
export const customerWalletCloseRefused = userEvent('customer.wallet-close-refused', Type.Object(Refusal))
/** The wallet is open again. */
export const customerWalletReopened = userEvent('customer.wallet-reopened', Type.Object(User))
