import type { Queryable, Tx } from '@pando/saga'
import { isUuid, patiently, timeOf } from '@pando/service'

/** What the chat knows of a post. */
export interface Post {
  id: string
  sellerId: string
  title: string
  status: 'open' | 'reserved' | 'sold'
  deleted: boolean
}

const COLUMNS = 'id, seller_id as "sellerId", title, status, deleted'

/** The news of a post that is younger than this may still be on its way. */
const NEWS_MS = 10_000
const PATIENCE_MS = 2_000

/** The post as the chat has heard of it; of one that is new there is a moment's patience, without a connection. */
export async function findPost(db: Queryable, id: string, patienceMs = PATIENCE_MS): Promise<Post | undefined> {
  if (!isUuid(id)) return undefined
  const isNew = Math.abs(Date.now() - timeOf(id).getTime()) < NEWS_MS
  const [post] = await patiently(
    isNew ? patienceMs : 0,
    () => db.query<Post>(`select ${COLUMNS} from chat.post where id = $1`, [id]),
    (rows) => rows.length > 0,
  )
  return post
}

/** The post, which does not change until the end of the transaction. */
export async function sharePost(tx: Tx, id: string): Promise<Post | undefined> {
  const [post] = await tx.query<Post>(`select ${COLUMNS} from chat.post where id = $1 for share`, [id])
  return post
}

/** Posts by id, locked until the end of the transaction; lock them before rooms. */
export async function lockPosts(tx: Tx, ids: readonly string[]): Promise<Map<string, Post>> {
  const rows = await tx.query<Post>(
    `select ${COLUMNS} from chat.post where id = any($1::uuid[]) order by id for update`,
    [[...new Set(ids)]],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Writes posts as they are now. */
export function savePosts(tx: Tx, posts: readonly Post[]): void {
  tx.send(
    `insert into chat.post (id, seller_id, title, status, deleted)
     select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bool[])
     on conflict (id) do update set title = excluded.title, status = excluded.status, deleted = excluded.deleted`,
    [
      posts.map(({ id }) => id),
      posts.map(({ sellerId }) => sellerId),
      posts.map(({ title }) => title),
      posts.map(({ status }) => status),
      posts.map(({ deleted }) => deleted),
    ],
  )
}
