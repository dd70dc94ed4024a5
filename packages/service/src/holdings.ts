import type { Tx } from '@pando/saga'
import type { Changes, Holding, Holdings, Occurrence } from './participation.ts'

export interface HoldingTableOptions {
  /** With its schema, where `tombstone` is too: `chat.member`. */
  table: string
  /** Columns that are loaded beside those of a holding. */
  reads?: readonly string[]
  /** Columns of type text that a row is made with. */
  texts?: readonly string[]
}

/** Where a participant of the sagas of users keeps its holdings. */
export interface HoldingTable<Read extends object> {
  /** Loads and locks the rows of their users, in the order of the ids, and the tombstones of their sagas. */
  load(tx: Tx, occurrences: readonly Pick<Occurrence, 'userId' | 'sagaId'>[]): Promise<Holdings<Holding & Read>>
  /** Sends what a batch led to. `textsOf`: what the row of a user who is made has in the columns `texts`, in their order. */
  save(tx: Tx, changes: Changes, textsOf?: (userId: string) => readonly string[]): void
}

const NAME = /^[a-z_]+$/

/**
 * A table with `user_id uuid` as its key, `made_by uuid` and `held_by uuid`: a row for each user, with the sign-up that made it and the
 * deletion that holds it. Beside it `tombstone (saga_id uuid)`. Names are constants of the code: throws TypeError for one that is not lower
 * case.
 * @example const wallets = createHoldingTable<{ balance: number }>({ table: 'customer.wallet', reads: ['balance'] })
 */
export function createHoldingTable<Read extends object = object>({
  table,
  reads = [],
  texts = [],
}: HoldingTableOptions): HoldingTable<Read> {
  const [schema = '', name = '', ...more] = table.split('.')
  const strange = [schema, name, ...reads, ...texts].find((part) => !NAME.test(part))
  if (strange !== undefined || more.length > 0)
    throw new TypeError(`"${strange ?? table}" is no name of a table or column`)
  const columns = ['user_id', 'made_by', ...texts]
  const types = ['uuid', 'uuid', ...texts.map(() => 'text')]
  const sql = {
    load: `select ${['user_id', 'made_by', 'held_by', ...reads].join(', ')} from ${table} where user_id = any($1::uuid[]) order by user_id for update`,
    loadTombstones: `select saga_id from ${schema}.tombstone where saga_id = any($1::uuid[])`,
    remove: `delete from ${table} where user_id = any($1::uuid[])`,
    make: `insert into ${table} (${columns.join(', ')}) select * from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')})`,
    hold: `update ${table} t set held_by = h.held_by from unnest($1::uuid[], $2::uuid[]) h(user_id, held_by) where t.user_id = h.user_id`,
    bury: `insert into ${schema}.tombstone (saga_id) select unnest($1::uuid[]) on conflict do nothing`,
  }

  return {
    async load(tx, occurrences) {
      const [rows, tombstones] = await Promise.all([
        tx.query<Read & { user_id: string; made_by: string | null; held_by: string | null }>(sql.load, [
          occurrences.map(({ userId }) => userId),
        ]),
        tx.query<{ saga_id: string }>(sql.loadTombstones, [occurrences.map(({ sagaId }) => sagaId)]),
      ])
      return {
        // A row that is older than the saga was made by none.
        byUser: new Map(rows.map((row) => [row.user_id, { ...row, madeBy: row.made_by ?? '', heldBy: row.held_by }])),
        tombstones: new Set(tombstones.map((row) => row.saga_id)),
      }
    },
    save(tx, { gone, made, held, buried }, textsOf = () => []) {
      if (gone.length > 0) tx.send(sql.remove, [gone])
      if (made.length > 0) {
        const values = made.map(({ userId, madeBy }) => [userId, madeBy, ...textsOf(userId)])
        tx.send(
          sql.make,
          columns.map((_, i) => values.map((row) => row[i])),
        )
      }
      if (held.length > 0) tx.send(sql.hold, [held.map(({ userId }) => userId), held.map(({ heldBy }) => heldBy)])
      if (buried.length > 0) tx.send(sql.bury, [buried])
    },
  }
}
