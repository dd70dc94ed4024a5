import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import type { Database } from '@pando/saga'
import { until } from '../../../test/support/until.ts'
import { createAnnouncing } from '../src/announcing.ts'
import { deleteKeyword, listKeywords, putKeyword } from '../src/keywords.ts'
import { keywordOf } from '../src/search-text.ts'
import { join, offer, openMarket, toldOf } from './market.ts'

const put = (db: Database, userId: string, text: string): Promise<void> => putKeyword(db, userId, keywordOf(text)!)
const keywordsOf = async (db: Database, userId: string): Promise<string[]> =>
  (await listKeywords(db, userId, '', 100)).map(({ keyword }) => keyword)

test('30 keywords at most, also of 60 that come at once; one that is there is no other', async (t) => {
  const db = await openMarket(t)
  const user = randomUUID()
  const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => put(db, user, `word ${i}`)))
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(refused.length, 30)
  assert.ok(refused.every(({ reason }) => (reason as { code: string }).code === 'conflict'))
  const kept = await keywordsOf(db, user)
  assert.equal(kept.length, 30)
  await put(db, user, kept[3]!.toUpperCase())
  assert.deepEqual((await keywordsOf(db, user))[3], kept[3]!.toUpperCase())
  await assert.rejects(put(db, user, 'one more'), { code: 'conflict' })
  await deleteKeyword(db, user, kept[0]!)
  await put(db, user, 'one more')
  await put(db, randomUUID(), 'of somebody else')
})

interface Match {
  userId: string
  keyword: string
  postId: string
  title: string
  sellerId: string
}
/** Starts telling, so many in a transaction; resolves with all that was told when it is done. */
async function announced(t: TestContext, db: Database, atOnce = 1_000, instances = 1): Promise<Match[]> {
  const errors: Error[] = []
  const all = Array.from({ length: instances }, () =>
    createAnnouncing({ db, atOnce, onError: (error) => errors.push(error) }),
  )
  t.after(() => Promise.all(all.map((one) => one.stop())))
  for (const one of all) one.start()
  await until('the end', async () => (await db.query('select from market.announcement')).length === 0)
  await Promise.all(all.map((one) => one.stop()))
  assert.deepEqual(errors, [])
  return toldOf<Match>(db, 'market.keyword-matched')
}

test('a user is told once of a post, of the longest keyword; the seller and others are not', async (t) => {
  const db = await openMarket(t)
  const [seller = '', fan = '', other = ''] = await join(db, 3)
  for (const text of ['스테', '몬스테라 ALBO', '삽수']) await put(db, fan, text)
  await put(db, seller, '몬스테라')
  for (const text of ['몬스테라x', 'content only', '몬스 테라']) await put(db, other, text)
  const { id, title } = await offer(db, seller, { title: '몬스테라 Albo 삽수', content: 'content only' })
  assert.deepEqual(await announced(t, db), [
    { userId: fan, keyword: '몬스테라 ALBO', postId: id, title, sellerId: seller },
  ])
})

test('a decomposed title is composed, and signs mean themselves', async (t) => {
  const db = await openMarket(t)
  const [seller = '', one = '', two = ''] = await join(db, 3)
  await put(db, one, '다육이')
  await put(db, two, '100%_')
  await offer(db, seller, { title: '다육이 모음'.normalize('NFD') })
  await offer(db, seller, { title: '100% organic' })
  await offer(db, seller, { title: 'only 100%_ now' })
  const told = await announced(t, db)
  assert.equal(told.length, 2)
  assert.deepEqual(
    new Map(told.map(({ userId, title }) => [userId, title.normalize('NFC')])),
    new Map([
      [one, '다육이 모음'],
      [two, 'only 100%_ now'],
    ]),
  )
})

test('many users are told by portions, by several processes: each exactly once', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  const users = Array.from({ length: 257 }, () => randomUUID())
  // Two keywords of the title each, so that portions of both overlap.
  await db.query(
    `insert into market.keyword (user_id, match, keyword)
     select u, m, m from unnest($1::uuid[]) u cross join unnest(array['plant', 'lant a']) m where m = 'plant' or u::text < '8'`,
    [users],
  )
  const posts = await Promise.all([
    offer(db, seller, { title: 'A Plant' }),
    offer(db, seller, { title: 'plant again' }),
  ])
  const told = await announced(t, db, 10, 3)
  for (const { id } of posts)
    assert.deepEqual(
      told
        .filter(({ postId }) => postId === id)
        .map(({ userId }) => userId)
        .toSorted(),
      users.toSorted(),
    )
  assert.equal(told.length, 2 * users.length)
})

test('what a crash interrupted goes on where it stood', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  const users = Array.from({ length: 20 }, () => randomUUID()).toSorted()
  await db.query(
    `insert into market.keyword (user_id, match, keyword) select u, 'plant', 'plant' from unnest($1::uuid[]) u`,
    [users],
  )
  await offer(db, seller, { title: 'plant' })
  await db.query('update market.announcement set after_user = $1', [users[11]])
  assert.deepEqual(
    (await announced(t, db, 3)).map(({ userId }) => userId),
    users.slice(12),
  )
})
