import { randomUUIDv7 } from 'node:crypto'
import { chatPostRoomsDeleted, marketPostDeleted, marketPostDeletionStarted, marketSagaChanged } from '@pando/events'
import {
  append,
  type Database,
  type DataOf,
  defineSaga,
  type SagaHooks,
  type SagaView,
  type StartItem,
  transaction,
  type Tx,
} from '@pando/saga'
import { Problem } from '@pando/service'
import { releaseImagesOfPosts } from './image.ts'
import type { By } from './posts.ts'

/**
 * A post goes: for everybody at once, in the transaction that starts this; then its rooms and their messages, in the chat's database.
 * What is deleted cannot be brought back, so it only goes forward. Past its deadline it is overdue: somebody should look why.
 */
export const postDeletion = defineSaga({
  type: 'post-deletion',
  starts: marketPostDeletionStarted,
  deadlineMs: 60_000,
  own: 'market',
  steps: {
    chat: {
      done: chatPostRoomsDeleted,
      detail(data) {
        const { rooms, messages } = chatPostRoomsDeleted.parse(data)
        return { rooms, messages }
      },
    },
  },
  completes: marketPostDeleted,
})

/** Shows it to the seller. */
export const postDeletionHooks: SagaHooks = {
  emits: [marketSagaChanged],
  changed(sagas, tx) {
    for (const { view, ownerId } of sagas)
      // Nobody when the seller's account is deleted.
      if (ownerId !== null)
        append(tx, marketSagaChanged({ userId: ownerId, saga: view }), { sagaType: view.type, sagaId: view.id })
  },
}

/** Starts sagas of this type, in the transaction that deletes the posts. */
export type StartDeletions = (
  tx: Tx,
  deletions: readonly StartItem<DataOf<typeof marketPostDeletionStarted>>[],
) => SagaView[]

interface Doomed {
  id: string
  sellerId: string
}

/** Deletes a post. Throws not_found for none, forbidden for another's, unless an admin asks. */
export function deletePost(
  db: Database,
  start: StartDeletions,
  id: string,
  { userId, isAdmin, traceparent }: By & { isAdmin: boolean },
): Promise<SagaView> {
  return transaction(db, async (tx) => {
    const [post] = await tx.query<Doomed>(
      'select id, seller_id as "sellerId" from market.post where id = $1 for update',
      [id],
    )
    if (!post) throw new Problem('not_found')
    if (post.sellerId !== userId && !isAdmin)
      throw new Problem('forbidden', { detail: 'Only the seller may delete a post.' })
    await removePosts(tx, [id])
    const data = { postId: id, sellerId: post.sellerId }
    return start(tx, [{ id: randomUUIDv7(), ownerId: post.sellerId, data, traceparent }])[0]!
  })
}

/** Deletes all posts of sellers whose accounts are deleted, within this transaction. */
export async function deletePostsOf(tx: Tx, start: StartDeletions, sellerIds: readonly string[]): Promise<void> {
  const posts = await tx.query<Doomed>(
    'select id, seller_id as "sellerId" from market.post where seller_id = any($1::uuid[]) order by id for update',
    [sellerIds],
  )
  if (posts.length === 0) return
  await removePosts(
    tx,
    posts.map(({ id }) => id),
  )
  start(
    tx,
    posts.map(({ id, sellerId }) => ({ id: randomUUIDv7(), ownerId: null, data: { postId: id, sellerId } })),
  )
}

// The counter goes before the wishes: a wish that is being made holds its row. Views are hashes that are dropped with their day.
const TABLES = ['post_counter', 'wish', 'post_search', 'announcement', 'post_room'].map(
  (table) => `delete from market.${table} where post_id = any($1::uuid[])`,
)

async function removePosts(tx: Tx, ids: readonly string[]): Promise<void> {
  tx.send('delete from market.post where id = any($1::uuid[])', [ids])
  for (const statement of TABLES) tx.send(statement, [ids])
  await releaseImagesOfPosts(tx, ids)
}
