import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Database } from '@pando/saga'
import { createWishes, listWishes } from '../src/wishes.ts'
import { join, offer, openMarket, toldOf } from './market.ts'

/** The counter of a post and how many wishes there are. */
async function countsOf(db: Database, postId: string): Promise<[number, number]> {
  const [row] = await db.query<{ counter: number; wishes: number }>(
    `select c.wishes as counter, (select count(*) from market.wish w where w.post_id = c.post_id) as wishes
     from market.post_counter c where c.post_id = $1`,
    [postId],
  )
  return [row!.counter, row!.wishes]
}

test('1,000 users wish for one post at once, through two processes: 1,000 wishes, each told of once', async (t) => {
  const db = await openMarket(t)
  const [seller = '', ...users] = await join(db, 1_001)
  const { id } = await offer(db, seller)
  const processes = [createWishes(db), createWishes(db)]
  const set = (userId: string, i: number) => processes[i % 2]!.set({ postId: id, wished: true, by: { userId } })
  // Every one twice, by different processes.
  await Promise.all([...users, ...users.toReversed()].map(set))
  assert.deepEqual(await countsOf(db, id), [1_000, 1_000])
  const told = await toldOf<{ userId: string; sellerId: string; displayName: string }>(db, 'market.post-wished')
  assert.deepEqual(told.map(({ userId }) => userId).toSorted(), users.toSorted())
  assert.deepEqual([told[0]!.sellerId, told[0]!.displayName], [seller, 'Nayun'])
})

test('wishes and unwishes of many users and posts at once: every counter is what there is', async (t) => {
  const db = await openMarket(t)
  const [seller = '', ...users] = await join(db, 21)
  const posts = await Promise.all(Array.from({ length: 7 }, () => offer(db, seller)))
  const processes = [createWishes(db), createWishes(db), createWishes(db)]
  await Promise.all(
    Array.from({ length: 1_500 }, (_, i) =>
      processes[i % 3]!.set({
        postId: posts[(i * 5) % 7]!.id,
        wished: (i * 7) % 11 < 6,
        by: { userId: users[(i * 13) % 20]! },
      }),
    ),
  )
  let all = 0
  for (const { id } of posts) {
    const [counter, wishes] = await countsOf(db, id)
    assert.equal(counter, wishes)
    all += wishes
  }
  assert.ok(all > 0)
  // And with one after the other it is what the last one said.
  for (const wished of [true, false, true, true, false, false]) {
    await processes[0]!.set({ postId: posts[0]!.id, wished, by: { userId: users[0]! } })
    const [row] = await db.query('select from market.wish where post_id = $1 and user_id = $2', [
      posts[0]!.id,
      users[0],
    ])
    assert.equal(row !== undefined, wished)
  }
  const [counter, wishes] = await countsOf(db, posts[0]!.id)
  assert.equal(counter, wishes)
})

test('of what one user wants of a post in one moment the last holds; who fails, fails alone', async (t) => {
  const db = await openMarket(t)
  const [seller = '', user = ''] = await join(db, 2)
  const { id } = await offer(db, seller)
  const wishes = createWishes(db)
  const set = (wished: boolean, postId = id) => wishes.set({ postId, wished, by: { userId: user } })
  const outcomes = await Promise.allSettled([set(true), set(false), set(true, randomUUID()), set(true)])
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'done')),
    ['done', 'done', 'not_found', 'done'],
  )
  assert.deepEqual(await countsOf(db, id), [1, 1])
  await Promise.all([set(true), set(false)])
  assert.deepEqual(await countsOf(db, id), [0, 0])
})

test("a wish for one's own post counts and nobody is told; one that there was already is not told of again", async (t) => {
  const db = await openMarket(t)
  const [seller = '', user = ''] = await join(db, 2)
  const { id } = await offer(db, seller)
  const wishes = createWishes(db)
  for (const userId of [seller, user, user]) await wishes.set({ postId: id, wished: true, by: { userId } })
  assert.deepEqual(await countsOf(db, id), [2, 2])
  assert.deepEqual(
    (await toldOf<{ userId: string }>(db, 'market.post-wished')).map(({ userId }) => userId),
    [user],
  )
  // Somebody whom the market has not heard of yet is told of without a name.
  const stranger = randomUUID()
  await wishes.set({ postId: id, wished: true, by: { userId: stranger } })
  const told = await toldOf<{ userId: string; displayName?: string }>(db, 'market.post-wished')
  assert.deepEqual([told[1]!.userId, told[1]!.displayName], [stranger, undefined])
})

test('the newest wish comes first, in pages', async (t) => {
  const db = await openMarket(t)
  const [seller = '', user = ''] = await join(db, 2)
  const wishes = createWishes(db)
  const ids: string[] = []
  for (let i = 0; i < 5; i++) {
    const { id } = await offer(db, seller)
    ids.unshift(id)
    await wishes.set({ postId: id, wished: true, by: { userId: user } })
  }
  const first = await listWishes(db, user, undefined, 3)
  const rest = await listWishes(db, user, first.at(-1)!.wishId, 3)
  assert.deepEqual(
    [...first, ...rest].map(({ id, wished, wishes: count }) => [id, wished, count]),
    ids.map((id) => [id, true, 1]),
  )
})
