import type { Queryable, Tx } from '@pando/saga'
import type { Changes, Holdings } from '@pando/service'
import { anonymise } from './ledger.ts'

/** What the reactions know of the wallets: the holdings, and which of them have money. */
export interface Wallets extends Holdings {
  readonly balances: ReadonlyMap<string, number>
}

/** Loads and locks the wallets of these users, and the tombstones of these sagas. */
export async function loadWallets(tx: Tx, userIds: readonly string[], sagaIds: readonly string[]): Promise<Wallets> {
  const [rows, tombstones] = await Promise.all([
    tx.query<{ user_id: string; made_by: string; held_by: string | null; balance: number }>(
      'select user_id, made_by, held_by, balance from customer.wallet where user_id = any($1::uuid[]) order by user_id for update',
      [userIds],
    ),
    tx.query<{ saga_id: string }>('select saga_id from customer.tombstone where saga_id = any($1::uuid[])', [sagaIds]),
  ])
  return {
    byUser: new Map(rows.map((row) => [row.user_id, { madeBy: row.made_by, heldBy: row.held_by }])),
    balances: new Map(rows.map((row) => [row.user_id, row.balance])),
    tombstones: new Set(tombstones.map((row) => row.saga_id)),
  }
}

/** Writes what a batch led to. */
export async function saveWallets(tx: Tx, { gone, made, held, buried }: Changes): Promise<void> {
  if (gone.length > 0) {
    await anonymise(tx, gone)
    tx.send('delete from customer.wallet where user_id = any($1::uuid[])', [gone])
  }
  if (made.length > 0)
    tx.send('insert into customer.wallet (user_id, made_by) select * from unnest($1::uuid[], $2::uuid[])', [
      made.map(({ userId }) => userId),
      made.map(({ madeBy }) => madeBy),
    ])
  if (held.length > 0)
    tx.send(
      'update customer.wallet w set held_by = h.held_by from unnest($1::uuid[], $2::uuid[]) h(user_id, held_by) where w.user_id = h.user_id',
      [held.map(({ userId }) => userId), held.map(({ heldBy }) => heldBy)],
    )
  if (buried.length > 0)
    tx.send('insert into customer.tombstone (saga_id) select unnest($1::uuid[]) on conflict do nothing', [buried])
}

/** A user's balance in won; undefined without a wallet. */
export async function balanceOf(db: Queryable, userId: string): Promise<number | undefined> {
  const [wallet] = await db.query<{ balance: number }>('select balance from customer.wallet where user_id = $1', [
    userId,
  ])
  return wallet?.balance
}
