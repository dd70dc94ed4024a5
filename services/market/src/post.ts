import { imagesColumn, type ImageView } from './image.ts'
import { type DataOf, type Queryable } from '@pando/saga'
import { nullable, Time } from '@pando/service'
import type { marketPostCreated } from '@pando/events'
import { UserView } from '@pando/events/views'
import { type Static, Type } from 'typebox'

export const CATEGORIES = ['foliage', 'flowering', 'succulent', 'herb', 'tree', 'seed', 'supplies', 'other'] as const
export const STATUSES = ['open', 'reserved', 'sold'] as const
export type Status = (typeof STATUSES)[number]

const Count = Type.Integer({ minimum: 0 })
export const Image = Type.Object({ id: Type.String(), width: Count, height: Count }, { title: 'Image' })
export const Category = Type.String({ enum: CATEGORIES, title: 'Category' })
export const PostStatus = Type.Enum(STATUSES, { title: 'PostStatus' })

/** A post as somebody sees it. */
export const PostView = Type.Object(
  {
    id: Type.String(),
    seller: UserView,
    title: Type.String(),
    content: Type.String(),
    price: Count,
    category: nullable(Category),
    images: Type.Array(Image),
    status: PostStatus,
    views: Count,
    wishes: Count,
    wished: Type.Boolean(),
    createdAt: Time,
    updatedAt: Time,
  },
  { title: 'Post' },
)
export type PostView = Static<typeof PostView>

/** A post with what stands beside it; the seller's names are null when the market does not know them. */
export interface PostRow {
  id: string
  sellerId: string
  title: string
  content: string
  price: number
  /** '' for none. */
  category: string
  status: Status
  createdAt: Date
  updatedAt: Date
  views: number
  wishes: number
  wished: boolean
  images: ImageView[]
  username: string | null
  displayName: string | null
  statusMessage: string | null
}

/** What a query selects to get a PostRow as the user of parameter `viewer` sees it; that one is null for nobody. From POST_TABLES. */
export const postColumns = (viewer: number): string =>
  `p.id, p.seller_id as "sellerId", p.title, p.content, p.price, p.category, p.status, p.created_at as "createdAt", p.updated_at as "updatedAt",
   c.views, c.wishes, exists (select from market.wish w where w.post_id = p.id and w.user_id = $${viewer}::uuid) as wished,
   ${imagesColumn('p.id')}, m.username, m.display_name as "displayName", m.status_message as "statusMessage"`
export const POST_TABLES = `market.post p join market.post_counter c on c.post_id = p.id left join market.member m on m.user_id = p.seller_id and m.held_by is null`

/** The post as it is shown; undefined when its seller is gone, or leaving. */
export function postView(row: PostRow): PostView | undefined {
  const { id, sellerId, title, content, price, category, images, status, views, wishes, wished } = row
  const { username, displayName, statusMessage } = row
  if (username === null || displayName === null || statusMessage === null) return undefined
  return {
    id,
    seller: { id: sellerId, username, displayName, statusMessage },
    title,
    content,
    price,
    category: category === '' ? null : category,
    images,
    status,
    views,
    wishes,
    wished,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

/** A post as this user, or nobody, sees it; undefined when there is none to be seen. */
export async function findPost(db: Queryable, id: string, viewerId: string | undefined): Promise<PostView | undefined> {
  const [row] = await db.query<PostRow>(`select ${postColumns(2)} from ${POST_TABLES} where p.id = $1`, [
    id,
    viewerId ?? null,
  ])
  return row && postView(row)
}

/** What events tell of a post. */
export const factsOf = ({
  id: postId,
  sellerId,
  title,
  price,
  category,
  status,
}: Pick<PostRow, 'id' | 'sellerId' | 'title' | 'price' | 'category' | 'status'>): DataOf<typeof marketPostCreated> => ({
  postId,
  sellerId,
  title,
  price,
  category: category === '' ? null : category,
  status,
})
