import { type Database, transaction } from '@pando/saga'
import { Problem } from '@pando/service'

const KEYWORDS_AT_MOST = 30

/** A keyword as it is compared, and as its user wrote it. */
export interface Keyword {
  match: string
  keyword: string
}

/** A user's keywords by what they are compared by, from the one after `after`. */
export function listKeywords(db: Database, userId: string, after: string, limit: number): Promise<Keyword[]> {
  return db.query<Keyword>(
    `select match, keyword from market.keyword where user_id = $1 and match collate "C" > $2 order by match collate "C" limit $3`,
    [userId, after, limit],
  )
}

/** Adds a keyword, or writes it anew when it is there already. Throws conflict when it would be one too many. */
export function putKeyword(db: Database, userId: string, { match, keyword }: Keyword): Promise<void> {
  return transaction(db, async (tx) => {
    // Whoever counts must be alone: a user's keywords have no row of their own to lock.
    tx.send(`select pg_advisory_xact_lock(hashtextextended('market.keyword ' || $1, 0))`, [userId])
    const written = await tx.query(
      `insert into market.keyword (user_id, match, keyword) select $1, $2, $3
       where (select count(*) from market.keyword k where k.user_id = $1 and k.match <> $2) < $4
       on conflict (user_id, match) do update set keyword = excluded.keyword returning match`,
      [userId, match, keyword, KEYWORDS_AT_MOST],
    )
    if (written.length === 0)
      throw new Problem('conflict', { detail: `There are ${KEYWORDS_AT_MOST} keywords already: delete one first.` })
  })
}

/** Removes a keyword; nothing happens when there is none. */
export async function deleteKeyword(db: Database, userId: string, match: string): Promise<void> {
  await db.query('delete from market.keyword where user_id = $1 and match = $2', [userId, match])
}
