import type { Queryable, Tx } from '@pando/saga'
import { type Changes, createHoldingTable } from '@pando/service'
import { anonymise } from './ledger.ts'

/** Wallets as the sagas of users see them, with their balances. */
export const holdings = createHoldingTable<{ balance: number }>({ table: 'customer.wallet', reads: ['balance'] })

/** Writes what a batch led to. */
export async function saveWallets(tx: Tx, changes: Changes): Promise<void> {
  if (changes.gone.length > 0) await anonymise(tx, changes.gone)
  holdings.save(tx, changes)
}

/** A user's balance in won; undefined without a wallet. */
export async function balanceOf(db: Queryable, userId: string): Promise<number | undefined> {
  const [wallet] = await db.query<{ balance: number }>('select balance from customer.wallet where user_id = $1', [
    userId,
  ])
  return wallet?.balance
}
