import { type Database, transaction } from '@pando/saga'
import type { PostRow } from '../../services/market/src/post.ts'
import { searchText } from '../../services/market/src/search-text.ts'

/** What the market keeps of a post. */
export type StoredPost = Pick<
  PostRow,
  'id' | 'sellerId' | 'title' | 'content' | 'price' | 'category' | 'status' | 'wishes' | 'views'
>

/** Stores posts as the market does, past its commands. */
export async function storePosts(db: Database, posts: readonly StoredPost[]): Promise<void> {
  const column = <Key extends keyof StoredPost>(key: Key): StoredPost[Key][] => posts.map((post) => post[key])
  await transaction(db, async (tx) => {
    tx.send(
      `insert into market.post (id, seller_id, title, content, price, category, status, created_at, updated_at)
       select *, now(), now() from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])`,
      [
        column('id'),
        column('sellerId'),
        column('title'),
        column('content'),
        column('price'),
        column('category'),
        column('status'),
      ],
    )
    tx.send(
      `insert into market.post_counter (post_id, category, status, wishes, views)
       select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[])`,
      [column('id'), column('category'), column('status'), column('wishes'), column('views')],
    )
    tx.send('insert into market.post_search (post_id, search) select * from unnest($1::uuid[], $2::text[])', [
      column('id'),
      posts.map(({ title, content }) => searchText(title, content)),
    ])
  })
}
