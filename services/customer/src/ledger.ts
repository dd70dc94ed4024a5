import { randomUUIDv7 } from 'node:crypto'
import type { Queryable, Tx } from '@pando/saga'

/** An amount of won that an account gains (positive) or gives (negative). */
export interface Posting {
  account: string
  amount: number
}

/** What a wallet's page shows of a movement. */
export interface Movement {
  id: number
  kind: string
  amount: number
  createdAt: Date
}

export const walletAccount = (userId: string): string => `wallet:${userId}`

/**
 * Moves money, and the balances of the wallets concerned with it. Amounts are whole won and add up to zero; a wallet that would fall below zero,
 * or that is closed or not there, makes the transaction fail. Throws RangeError for amounts that do not add up.
 */
export async function post(tx: Tx, kind: string, postings: readonly Posting[]): Promise<void> {
  const sum = postings.reduce((total, { amount }) => total + amount, 0)
  if (sum !== 0 || !postings.every(({ amount }) => Number.isSafeInteger(amount) && amount !== 0))
    throw new RangeError(`the postings of "${kind}" are no whole amounts that add up to zero`)
  const id = randomUUIDv7()
  const accounts = postings.map(({ account }) => account)
  const amounts = postings.map(({ amount }) => amount)
  const wallets = new Set(accounts.filter((account) => account.startsWith('wallet:')))
  // Rows in one order, so that two transfers between the same wallets wait instead of locking each other out.
  const open = await tx.query(
    `select from customer.wallet where user_id = any($1::uuid[]) and held_by is null order by user_id for update`,
    [[...wallets].map((account) => account.slice('wallet:'.length))],
  )
  if (open.length !== wallets.size) throw new RangeError(`a wallet of "${kind}" is closed or does not exist`)
  await tx.query(
    `update customer.wallet w set balance = w.balance + p.amount
     from (select account, sum(amount)::bigint as amount from unnest($1::text[], $2::bigint[]) p(account, amount) group by account) p
     where 'wallet:' || w.user_id = p.account and w.user_id = any($3::uuid[])`,
    [accounts, amounts, [...wallets].map((account) => account.slice('wallet:'.length))],
  )
  await tx.query('insert into customer.ledger_transaction (id, kind) values ($1, $2)', [id, kind])
  await tx.query(
    `insert into customer.entry (transaction_id, account, amount) select $1, * from unnest($2::text[], $3::bigint[])`,
    [id, accounts, amounts],
  )
}

/** A wallet's movements, newest first, older than `before`. */
export function movements(
  db: Queryable,
  userId: string,
  before: number | undefined,
  limit: number,
): Promise<Movement[]> {
  return db.query<Movement>(
    `select e.id, t.kind, e.amount, t.created_at as "createdAt"
     from customer.entry e join customer.ledger_transaction t on t.id = e.transaction_id
     where e.account = $1 and ($2::bigint is null or e.id < $2) order by e.id desc limit $3`,
    [walletAccount(userId), before ?? null, limit],
  )
}

/** Detaches the entries of wallets from their users: the house's books stay whole, and name nobody. */
export async function anonymise(tx: Tx, userIds: readonly string[]): Promise<void> {
  await tx.query(`update customer.entry set account = 'house:former-users' where account = any($1::text[])`, [
    userIds.map(walletAccount),
  ])
}
