import { numberOf } from './chance.ts'
import { type Ask, listAll } from './client.ts'
import type { Member } from './members.ts'
import { draw } from './picture.ts'
import { type Draft, draftOf } from './posts.ts'
import type { Progress } from './progress.ts'

/** A post that is there. */
export interface Offered extends Draft {
  id: string
  seller: Member
  /** What it was before this run changed it. */
  statusNow: Draft['status']
}

type Found = Pick<Offered, 'id' | 'title'> & { status: Draft['status'] }

/** Puts up those that their sellers do not have yet; a title is what they are known by. */
export async function addPosts(
  ask: Ask,
  progress: Progress,
  members: readonly Member[],
  count: number,
): Promise<Offered[]> {
  const known = new Map<string, Found>()
  const keyOf = ({ id }: Member, title: string): string => `${id} ${title}`
  for (const seller of members)
    for (const post of await listAll<Found>(ask, `/api/posts?sellerId=${seller.id}`, seller.token))
      known.set(keyOf(seller, post.title), post)

  const offered: Offered[] = []
  const numbers = Array.from({ length: count }, (_, i) => i)
  await progress.each('posts', numbers, async (number) => {
    const seller = members[number % members.length]!
    const draft = draftOf(number, seller.language)
    const there = known.get(keyOf(seller, draft.title))
    const { id, status } = there ?? (await offer(ask, seller, draft))
    offered.push({ ...draft, id, seller, statusNow: status })
    return there ? 'there' : 'new'
  })
  return offered
}

async function offer(ask: Ask, { token }: Member, draft: Draft): Promise<Found> {
  const imageIds: string[] = []
  for (const { seed, shape, hue } of draft.pictures) {
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(await draw(seed, shape, hue))], { type: 'image/jpeg' }), 'plant.jpg')
    imageIds.push((await ask<{ id: string }>('POST', '/api/images', { token, body: form })).body.id)
  }
  const { title, content, price, category } = draft
  return (await ask<Found>('POST', '/api/posts', { token, body: { title, content, price, category, imageIds } })).body
}

/** In percent, who wishes for a post; some are in demand. */
const demandOf = ({ number }: Draft): number => (numberOf(`demand ${number}`, 100) < 20 ? 20 : 4)

/** Some look at a post, and wish for it. */
export async function addWishes(
  ask: Ask,
  progress: Progress,
  members: readonly Member[],
  posts: readonly Offered[],
): Promise<void> {
  const wished = new Map<Member, Set<string>>()
  for (const one of members) {
    const list = await listAll<{ id: string }>(ask, '/api/me/wishes', one.token)
    wished.set(one, new Set(list.map(({ id }) => id)))
  }
  const wishes = members.flatMap((one) =>
    posts
      .filter((post) => post.seller !== one && numberOf(`wish ${one.username} ${post.number}`, 100) < demandOf(post))
      .map((post) => ({ one, post })),
  )
  await progress.each('wishes', wishes, async ({ one, post: { id } }) => {
    if (wished.get(one)!.has(id)) return 'there'
    await ask('GET', `/api/posts/${id}`, { token: one.token })
    await ask('PUT', `/api/posts/${id}/wish`, { token: one.token })
    return 'new'
  })
}

/** Reserves and sells what is still open; `buyerOf` is whom it is sold to. */
export async function closePosts(
  ask: Ask,
  progress: Progress,
  posts: readonly Offered[],
  buyerOf: ReadonlyMap<Offered, Member>,
): Promise<void> {
  const closing = posts.filter(({ status }) => status !== 'open')
  await progress.each('reserved and sold', closing, async (post) => {
    if (post.statusNow !== 'open') return 'there'
    const buyer = buyerOf.get(post)
    await ask('PUT', `/api/posts/${post.id}/status`, {
      token: post.seller.token,
      body: { status: post.status, ...(buyer && post.status === 'sold' && { buyerId: buyer.id }) },
    })
    return 'new'
  })
}
