import { randomUUIDv7 } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { marketPostChanged, marketPostCreated, marketPostStatusChanged } from '@pando/events'
import { append, type Database, transaction, type Tx } from '@pando/saga'
import { Problem } from '@pando/service'
import { attachImages, imageIdsOf } from './image.ts'
import { assertSeller } from './members.ts'
import { factsOf, findPost, type PostRow, type PostView, type Status } from './post.ts'
import { hasRoom } from './post-rooms.ts'
import { searchText } from './search-text.ts'

/** What a seller says; category null is none. */
export interface Draft {
  title: string
  content: string
  price: number
  category: string | null
  imageIds: readonly string[]
}

/** Whose wish it is, and the trace of the request. */
export interface By {
  userId: string
  traceparent?: string | undefined
}

type OwnRow = Omit<PostRow, 'images' | 'views' | 'wishes' | 'wished' | 'username' | 'displayName' | 'statusMessage'>

/** Puts a post up for sale, within this transaction, and has those told who wait for it. Throws as `assertSeller`. */
export async function createPost(
  tx: Tx,
  { title, content, price, category, imageIds }: Draft,
  by: By,
): Promise<PostView> {
  await assertSeller(tx, by.userId)
  const now = new Date()
  const post: OwnRow = {
    id: randomUUIDv7(),
    sellerId: by.userId,
    title,
    content,
    price,
    category: category ?? '',
    status: 'open',
    createdAt: now,
    updatedAt: now,
  }
  tx.send(
    `insert into market.post (id, seller_id, title, content, price, category, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $7)`,
    [post.id, post.sellerId, title, content, price, post.category, now],
  )
  tx.send('insert into market.post_counter (post_id, category) values ($1, $2)', [post.id, post.category])
  tx.send('insert into market.post_search (post_id, search) values ($1, $2)', [post.id, searchText(title, content)])
  if (imageIds.length > 0) await attachImages(tx, by.userId, imageIds, post.id)
  tx.send('insert into market.announcement (post_id) values ($1)', [post.id])
  append(tx, marketPostCreated(factsOf(post)), { traceparent: by.traceparent })
  return shown(tx, post.id, by)
}

/** Changes what is given. Throws not_found for no post, forbidden for another's. */
export function changePost(db: Database, id: string, change: Partial<Draft>, by: By): Promise<PostView> {
  return transaction(db, async (tx) => {
    const before = await lockPost(tx, id, by)
    const { category = before.category, imageIds, ...rest } = change
    const post = { ...before, ...rest, category: category ?? '' }
    const { title, content, price } = post
    const isSame = CHANGEABLE.every((member) => post[member] === before[member])
    const hasSameImages = imageIds === undefined || isDeepStrictEqual(imageIds, await imageIdsOf(tx, id))
    if (isSame && hasSameImages) return shown(tx, id, by)
    if (!hasSameImages) await attachImages(tx, by.userId, imageIds, id)
    tx.send(
      'update market.post set title = $2, content = $3, price = $4, category = $5, updated_at = $6 where id = $1',
      [id, title, content, price, post.category, new Date()],
    )
    if (post.category !== before.category)
      tx.send('update market.post_counter set category = $2 where post_id = $1', [id, post.category])
    if (title !== before.title || content !== before.content)
      tx.send('update market.post_search set search = $2 where post_id = $1', [id, searchText(title, content)])
    append(tx, marketPostChanged(factsOf(post)), { traceparent: by.traceparent })
    return shown(tx, id, by)
  })
}

const CHANGEABLE = ['title', 'content', 'price', 'category'] as const

/** Which status may come after which; the same one always may. Sold is final. */
const NEXT: Record<Status, readonly Status[]> = {
  open: ['open', 'reserved', 'sold'],
  reserved: ['reserved', 'open', 'sold'],
  sold: ['sold'],
}

/**
 * Reserves, sells or reopens a post; nothing happens when it is so already. Throws not_found for no post, forbidden for another's,
 * validation_failed for a buyer who has no room for the post, conflict for a step that there is not.
 */
export async function setStatus(
  db: Database,
  id: string,
  { status, buyerId }: { status: Status; buyerId?: string | undefined },
  by: By,
): Promise<PostView> {
  const isBuyer = buyerId === undefined || (await hasRoom(db, id, buyerId))
  return await transaction(db, async (tx) => {
    const { status: before, sellerId, title } = await lockPost(tx, id, by)
    if (!isBuyer)
      throw new Problem('validation_failed', {
        errors: [{ path: '/buyerId', message: 'is nobody who has a room for this post' }],
      })
    if (!NEXT[before].includes(status)) throw new Problem('conflict', { detail: 'A sold post stays sold.' })
    if (status === before) return shown(tx, id, by)
    tx.send('update market.post set status = $2, updated_at = $3 where id = $1', [id, status, new Date()])
    tx.send('update market.post_counter set status = $2 where post_id = $1', [id, status])
    const told = { postId: id, sellerId, title, status, ...(buyerId !== undefined && { buyerId }) }
    append(tx, marketPostStatusChanged(told), { traceparent: by.traceparent })
    return shown(tx, id, by)
  })
}

async function lockPost(tx: Tx, id: string, { userId }: By): Promise<OwnRow> {
  const [post] = await tx.query<OwnRow>(
    `select id, seller_id as "sellerId", title, content, price, category, status, created_at as "createdAt", updated_at as "updatedAt"
     from market.post where id = $1 for update`,
    [id],
  )
  if (!post) throw new Problem('not_found')
  if (post.sellerId !== userId) throw new Problem('forbidden', { detail: 'Only the seller may change a post.' })
  return post
}

async function shown(tx: Tx, id: string, { userId }: By): Promise<PostView> {
  const post = await findPost(tx, id, userId)
  // The seller has left meanwhile.
  if (!post) throw new Problem('unauthenticated')
  return post
}
