import { setTimeout as pause } from 'node:timers/promises'
import { append, type Database, isTransient, transaction } from '../../src/index.ts'
import type { Random } from '../../src/random.ts'
import { changed } from '../stock.ts'

// Writers change items under their rows' locks, one version a change, and append an event of each. What an item's row says in the end
// is what was committed; nobody needs to know whether a commit that got no answer went through.

/** Makes the writers' tables, and commits that take as long as `checker.delay` says, between the outbox's insert and its being seen. */
export async function prepareShop(db: Database): Promise<void> {
  await db.query(`
    create table item (key text primary key, version int not null default 0);
    create function linger() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(coalesce(nullif(current_setting('checker.delay', true), ''), '0')::float8 / 1000);
      return null;
    end $$;
    create constraint trigger linger after insert on saga.outbox deferrable initially deferred for each row execute function linger()`)
}

const ROLL_BACK = new Error('rolled back on purpose')

/** Runs so many transactions one after the other; resolves with how many it knows to be committed. */
export async function write(
  db: Database,
  random: Random,
  keys: readonly string[],
  transactions: number,
): Promise<number> {
  let committed = 0
  for (let i = 0; i < transactions; i++) {
    try {
      await transaction(db, async (tx) => {
        if (random.chance(0.7))
          await tx.query(`select set_config('checker.delay', $1, true)`, [String(random.below(8))])
        // A third take their transaction id before the lock: the order of ids is then not that of the commits.
        if (random.chance(0.33)) await tx.query('select pg_current_xact_id()')
        if (random.chance(0.3)) await pause(random.below(5))
        const chosen = new Set([random.pick(keys), ...(random.chance(0.3) ? [random.pick(keys)] : [])])
        for (const key of [...chosen].toSorted()) {
          const [item] = await tx.query<{ version: number }>(
            'update item set version = version + 1 where key = $1 returning version',
            [key],
          )
          append(tx, changed({ key, version: item!.version }))
          if (random.chance(0.2)) await pause(random.below(4))
        }
        if (random.chance(0.1)) throw ROLL_BACK
      })
      committed++
    } catch (thrown) {
      if (thrown !== ROLL_BACK && !isTransient(thrown)) throw thrown
    }
  }
  return committed
}
