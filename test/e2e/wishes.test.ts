// Wishes: set and taken back as often as one likes, counted exactly, told to the seller once.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { person } from '../support/people.ts'
import { allOf, offer, type Page, type Post } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
const [seller, fan] = await Promise.all([person(system.url), person(system.url)])
const wish = (id: string, { client } = fan) => client.put(`/api/posts/${id}/wish`)
const unwish = (id: string, { client } = fan) => client.delete(`/api/posts/${id}/wish`)
const look = async (id: string, client = fan.client): Promise<[number, boolean]> => {
  const { wishes, wished } = (await client.get<Post>(`/api/posts/${id}`)).body
  return [wishes, wished]
}

test('a wish counts once, and is taken back once', async () => {
  const { id } = await offer(seller)
  for (let i = 0; i < 2; i++) {
    const { status, text } = await wish(id)
    assert.deepEqual([status, text], [204, ''])
    assert.deepEqual(await look(id), [1, true])
  }
  assert.deepEqual(await look(id, anybody), [1, false])
  assert.deepEqual(await look(id, seller.client), [1, false])
  assert.equal((await wish(id, seller)).status, 204)
  assert.deepEqual(await look(id, seller.client), [2, true])
  for (let i = 0; i < 2; i++) {
    assert.equal((await unwish(id)).status, 204)
    assert.deepEqual(await look(id), [1, false])
  }
  for (const none of [randomUUID(), 'x', id.toUpperCase()])
    for (const answer of [await wish(none), await unwish(none)]) assertProblem(answer, 404, 'not_found')
})

test('1,000 wishes and unwishes of ten users over HTTP at once end as they should', async () => {
  const { id } = await offer(seller)
  const fans = await Promise.all(Array.from({ length: 10 }, () => person(system.url)))
  await Promise.all(
    Array.from({ length: 1_000 }, async (_, i) => {
      const who = fans[i % 10]!
      const { status } = (i * 7) % 13 < 7 ? await wish(id, who) : await unwish(id, who)
      assert.equal(status, 204)
    }),
  )
  for (const [i, who] of fans.entries()) await (i < 4 ? wish(id, who) : unwish(id, who))
  assert.deepEqual(await look(id), [4, false])
  const { body } = await anybody.get<Page<Post>>(`/api/posts?sellerId=${seller.id}&sort=popular`)
  assert.equal(body.items.find((post) => post.id === id)!.wishes, 4)
})

test("one's wishes, the newest first, in pages", async () => {
  const who = await person(system.url)
  const posts: string[] = []
  for (let i = 0; i < 5; i++) posts.unshift((await offer(seller)).id)
  for (const id of posts.toReversed()) await wish(id, who)
  for (const limit of [1, 2, 5, 100]) {
    const all = await allOf<Post>(who.client, '/api/me/wishes', limit)
    assert.deepEqual(
      all.map(({ id, wished }) => [id, wished]),
      posts.map((id) => [id, true]),
    )
  }
  // Wished again, it is new again.
  await unwish(posts[4]!, who)
  await wish(posts[4]!, who)
  assert.equal((await allOf<Post>(who.client, '/api/me/wishes'))[0]!.id, posts[4])
  for (const query of ['limit=0', 'cursor=x', `cursor=${Buffer.from('"x"').toString('base64url')}`])
    assertProblem(await who.client.get(`/api/me/wishes?${query}`), 400, 'validation_failed')
})

test('the seller is notified of a new wish, and nobody of the own one', async () => {
  const [owner, who] = await Promise.all([person(system.url), person(system.url)])
  const { id, title } = await offer(owner)
  const { notification: db } = system.databases
  const notified = async (userId: string) =>
    (
      await db.query<{ type: string; data: string; url: string }>(
        'select type, data, url from notification.notification where user_id = $1',
        [userId],
      )
    ).map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) as object }))
  await wish(id, owner)
  await wish(id, who)
  await wish(id, who)
  const told = await until('the notification', async () => {
    const all = await notified(owner.id)
    return all.length > 0 && all
  })
  assert.deepEqual(told, [
    {
      type: 'post_wished',
      data: { postId: id, title, user: { id: who.id, displayName: who.displayName } },
      url: `/posts/${id}`,
    },
  ])
  assert.deepEqual(await notified(who.id), [])
})
