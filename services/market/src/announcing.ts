import { marketKeywordMatched } from '@pando/events'
import { append, createBell, createLoop, type Database, transaction } from '@pando/saga'
import { keywordsIn } from './search-text.ts'

/** Users who are told of a post in one transaction. */
const AT_ONCE = 1_000
const PAUSE_MS = 2_000

export interface Announcing {
  start(): void
  stop(): Promise<void>
  /** There is a new post. */
  ring(): void
}

/**
 * Tells users of new posts whose titles have a keyword of theirs: each once for a post, however many there are, and never the seller.
 * Many users may wait for one word, so that is done behind the post's own transaction, by portions. Where it stands is in the database: it
 * goes on after a crash, in any process.
 */
export function createAnnouncing({
  db,
  onError,
  atOnce = AT_ONCE,
}: {
  db: Database
  onError: (error: Error) => void
  atOnce?: number
}): Announcing {
  const bell = createBell()
  const loop = createLoop({
    bell,
    onError,
    async turn(stopping) {
      while (!stopping() && (await announce(db, atOnce)));
      await bell.wait(PAUSE_MS)
    },
  })
  return { start: loop.start, stop: loop.stop, ring: bell.ring }
}

/** One portion of one post; false when nothing is left that no other process is at. */
function announce(db: Database, atOnce: number): Promise<boolean> {
  return transaction(db, async (tx) => {
    const [post] = await tx.query<{ id: string; after: string; title: string; sellerId: string }>(
      `select p.id, a.after_user as after, p.title, p.seller_id as "sellerId"
       from market.announcement a join market.post p on p.id = a.post_id
       order by a.post_id limit 1 for update of a skip locked`,
      [],
    )
    if (!post) return false
    const { id, after, title, sellerId } = post
    const matched = await tx.query<{ userId: string; keyword: string }>(MATCHED, [
      keywordsIn(title),
      after,
      sellerId,
      atOnce,
    ])
    for (const { userId, keyword } of matched)
      append(tx, marketKeywordMatched({ userId, keyword, postId: id, title, sellerId }))
    if (matched.length < atOnce) tx.send('delete from market.announcement where post_id = $1', [id])
    else tx.send('update market.announcement set after_user = $2 where post_id = $1', [id, matched.at(-1)!.userId])
    return true
  })
}

// The title's own parts are looked up among the keywords: what it takes depends on the title, not on how many keywords there are. The first
// users of all are among the first of each keyword.
const MATCHED = `
  select distinct on (k.user_id) k.user_id as "userId", k.keyword
  from unnest($1::text[]) part(match)
  cross join lateral (
    select k.user_id, k.keyword, k.match from market.keyword k
    where k.match = part.match and k.user_id > $2::uuid and k.user_id <> $3::uuid order by k.user_id limit $4::int
  ) k
  order by k.user_id, length(k.match) desc, k.match limit $4::int`
