import { chatMessageCreated, chatRoomChanged } from '@pando/events'
import type { SystemView } from '@pando/events/views'
import { append, type Received, type Tx } from '@pando/saga'
import { addMessages, messageView } from './message.ts'
import type { Post } from './posts.ts'
import { loadRooms, lockRooms } from './room.ts'

/** Something that has changed of a post, as all its rooms are to show it. */
export interface PostNews {
  post: Post
  /** The status is another one: that is said in the rooms. */
  isStatus: boolean
  event: Received
}

const CODES: Record<Post['status'], SystemView['code']> = {
  open: 'post_reopened',
  reserved: 'post_reserved',
  sold: 'post_sold',
}

/** Tells the rooms of posts, whose rows are locked and written, what has become of them, in the order given. */
export async function tellRooms(tx: Tx, news: readonly PostNews[]): Promise<void> {
  const found = await tx.query<{ id: string; postId: string }>(
    `select id, post_id as "postId" from chat.room where post_id = any($1::uuid[]) and type = 'trade'`,
    [[...new Set(news.map(({ post }) => post.id))]],
  )
  if (found.length === 0) return
  const locked = await lockRooms(
    tx,
    found.map(({ id }) => id),
  )
  const roomsOf = Map.groupBy(
    found.filter(({ id }) => locked.has(id)),
    ({ postId }) => postId,
  )
  const lastSeqs = new Map([...locked].map(([id, { lastSeq }]) => [id, lastSeq]))
  const said = news.flatMap(({ post, isStatus, event }) =>
    isStatus ? (roomsOf.get(post.id) ?? []).map(({ id }) => ({ roomId: id, status: post.status, event })) : [],
  )
  if (said.length > 0) {
    const rows = addMessages(
      tx,
      lastSeqs,
      said.map(({ roomId, status }) => ({ roomId, system: { code: CODES[status], users: [] } })),
    )
    rows.forEach((row, i) =>
      append(tx, chatMessageCreated({ message: messageView(row) }), { causedBy: said[i]!.event }),
    )
  }
  const rooms = await loadRooms(tx, [...locked.keys()])
  for (const [postId, some] of Map.groupBy(news, ({ post }) => post.id)) {
    const ofPost = some.some(({ isStatus }) => isStatus)
    const causedBy = some.at(-1)!.event
    for (const { id } of roomsOf.get(postId) ?? [])
      append(tx, chatRoomChanged({ room: rooms.get(id)!, joined: [], left: [], ...(ofPost && { ofPost }) }), {
        causedBy,
      })
  }
}
