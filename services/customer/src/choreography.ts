import type { ServiceChoreography } from '@pando/saga'
import { wallets } from './reactions.ts'

/** What the customer service hears and says. */
export const choreography = {
  topic: 'customer',
  reactions: [wallets],
} as const satisfies ServiceChoreography
