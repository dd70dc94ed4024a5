import { marketPostWished } from '@pando/events'
import { append, type Database, retryOnConflict, transaction, type Tx } from '@pando/saga'
import { createBatcher, Problem } from '@pando/service'
import { POST_TABLES, postColumns, type PostRow } from './post.ts'
import type { By } from './posts.ts'

interface Change {
  postId: string
  wished: boolean
  by: By
}

export interface Wishes {
  /** Makes it so that the user wishes for the post, or does not. Throws not_found for no post. */
  set(change: Change): Promise<void>
}

interface Wished {
  postId: string
  userId: string
}
const keyOf = ({ postId, userId }: Wished): string => `${postId} ${userId}`

/** Wishes and unwishes. What comes at the same time shares a transaction, so that a post that many wish for holds up nobody else. */
export function createWishes(db: Database): Wishes {
  return {
    set: createBatcher<Change, void>((changes) => retryOnConflict(() => transaction(db, (tx) => setAll(tx, changes)))),
  }
}

async function setAll(tx: Tx, changes: readonly Change[]): Promise<(Problem | undefined)[]> {
  const ids = [...new Set(changes.map(({ postId }) => postId))]
  const userIds = [...new Set(changes.map(({ by }) => by.userId))]
  // The counter's row is what wishes of a post wait for each other at.
  const [posts, names] = await Promise.all([
    tx.query<{ postId: string; sellerId: string; title: string }>(
      `select c.post_id as "postId", p.seller_id as "sellerId", p.title from market.post_counter c join market.post p on p.id = c.post_id
       where c.post_id = any($1::uuid[]) order by c.post_id for update of c`,
      [ids],
    ),
    tx.query<{ userId: string; displayName: string }>(
      'select user_id as "userId", display_name as "displayName" from market.member where user_id = any($1::uuid[])',
      [userIds],
    ),
  ])
  const postOf = new Map(posts.map((post) => [post.postId, post]))
  const nameOf = new Map(names.map(({ userId, displayName }) => [userId, displayName]))
  // Of what one user wants of a post at the same time, the last holds.
  const wanted = new Map(
    changes
      .filter(({ postId }) => postOf.has(postId))
      .map((change) => [keyOf({ postId: change.postId, userId: change.by.userId }), change]),
  )
  const added = await write(tx, INSERT, wanted, true)
  const removed = await write(tx, DELETE, wanted, false)
  const deltas = new Map<string, number>()
  for (const { postId } of added) deltas.set(postId, (deltas.get(postId) ?? 0) + 1)
  for (const { postId } of removed) deltas.set(postId, (deltas.get(postId) ?? 0) - 1)
  if (deltas.size > 0)
    tx.send(
      `update market.post_counter c set wishes = c.wishes + d.delta from unnest($1::uuid[], $2::int[]) d(post_id, delta) where c.post_id = d.post_id`,
      [[...deltas.keys()], [...deltas.values()]],
    )
  for (const one of added) {
    const { postId, sellerId, title } = postOf.get(one.postId)!
    if (one.userId === sellerId) continue
    const displayName = nameOf.get(one.userId)
    const { traceparent } = wanted.get(keyOf(one))!.by
    append(
      tx,
      marketPostWished({
        postId,
        sellerId,
        title,
        userId: one.userId,
        ...(displayName !== undefined && { displayName }),
      }),
      { traceparent },
    )
  }
  return changes.map(({ postId }) => (postOf.has(postId) ? undefined : new Problem('not_found')))
}

const INSERT = `insert into market.wish (post_id, user_id) select * from unnest($1::uuid[], $2::uuid[])
  on conflict do nothing returning post_id as "postId", user_id as "userId"`
const DELETE = `delete from market.wish w using unnest($1::uuid[], $2::uuid[]) g(post_id, user_id)
  where w.post_id = g.post_id and w.user_id = g.user_id returning w.post_id as "postId", w.user_id as "userId"`

/** Those whose wish was not so before. */
async function write(tx: Tx, text: string, wanted: ReadonlyMap<string, Change>, wished: boolean): Promise<Wished[]> {
  const some = [...wanted.values()].filter((change) => change.wished === wished)
  if (some.length === 0) return []
  return tx.query<Wished>(text, [some.map(({ postId }) => postId), some.map(({ by }) => by.userId)])
}

/** Forgets the wishes of users who have left, so that they count no more. */
export async function forgetWishes(tx: Tx, userIds: readonly string[]): Promise<void> {
  // The counters first, in the order in which others lock them.
  await tx.query(
    `select from market.post_counter where post_id in (select post_id from market.wish where user_id = any($1::uuid[]))
     order by post_id for update`,
    [userIds],
  )
  tx.send(
    `with gone as (delete from market.wish where user_id = any($1::uuid[]) returning post_id)
     update market.post_counter c set wishes = c.wishes - g.n
     from (select post_id, count(*) as n from gone group by post_id) g where c.post_id = g.post_id`,
    [userIds],
  )
}

/** What a user wishes for, newest wish first, from the wish before `before`; with each wish's number. */
export function listWishes(
  db: Database,
  userId: string,
  before: number | undefined,
  limit: number,
): Promise<(PostRow & { wishId: number })[]> {
  return db.query(
    `select x.*, w.id as "wishId" from market.wish w
     cross join lateral (select ${postColumns(1)} from ${POST_TABLES} where p.id = w.post_id offset 0) x
     where w.user_id = $1 and w.id < $2 order by w.id desc limit $3`,
    [userId, before ?? Number.MAX_SAFE_INTEGER, limit],
  )
}
