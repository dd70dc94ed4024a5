// Lists and search over HTTP. What they find is tested beside the market; here: who asks how, cursors, and what is no query.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { person } from '../support/people.ts'
import { allOf, offer, type Page, type Post } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
const [seller, other] = await Promise.all([person(system.url), person(system.url)])
const SORTS = ['latest', 'price', 'popular']

const posts: Post[] = []
for (let i = 0; i < 12; i++)
  posts.push(
    await offer(i % 4 === 3 ? other : seller, {
      title: ['몬스테라 알보', '다육이 모음', '선인장(대품)', 'Pothos N-joy'][i % 4],
      content: i % 2 === 0 ? '베란다에서 키웠어요' : '택배 가능, 직거래 환영',
      price: [3_000, 1_000, 2_000][i % 3],
      category: [null, 'succulent', 'foliage'][i % 3],
    }),
  )
const find = async (query: string, client = anybody): Promise<string[]> =>
  (await allOf<Post>(client, `/api/posts?${query}`, 5)).map(({ id }) => id)
const idsWhere = (wanted: (post: Post, i: number) => boolean): string[] => posts.filter(wanted).map(({ id }) => id)

test('without anything: all, the latest first, for anybody', async () => {
  const { status, body } = await anybody.get<Page<Post>>('/api/posts')
  assert.equal(status, 200)
  assert.deepEqual(body.items, posts.toReversed())
  assert.equal(body.next, null)
})

test('filters hold together, and what is left empty is none', async () => {
  const newestFirst = (ids: string[]): string[] => ids.toReversed()
  assert.deepEqual(await find('category=succulent'), newestFirst(idsWhere(({ category }) => category === 'succulent')))
  assert.deepEqual(await find(`sellerId=${other.id}`), newestFirst(idsWhere((_, i) => i % 4 === 3)))
  assert.deepEqual(
    await find(`sellerId=${seller.id}&category=foliage&status=open`),
    newestFirst(idsWhere(({ category }, i) => i % 4 !== 3 && category === 'foliage')),
  )
  assert.deepEqual(await find('status=sold'), [])
  assert.deepEqual(await find('query=&category=&status=&sellerId=&sort=latest'), newestFirst(idsWhere(() => true)))
  for (const nobody of [randomUUID(), 'x', seller.id.toUpperCase(), "' or 1=1"])
    assert.deepEqual(await find(`sellerId=${encodeURIComponent(nobody)}`), [])
})

test('words in Korean and others, parts of them, from title and content, with filters and orders', async () => {
  const search = (text: string, more = ''): Promise<string[]> => find(`query=${encodeURIComponent(text)}${more}`)
  assert.deepEqual(new Set(await search('테라')), new Set(idsWhere((_, i) => i % 4 === 0)))
  assert.deepEqual(new Set(await search('테라'.normalize('NFD'))), new Set(idsWhere((_, i) => i % 4 === 0)))
  assert.deepEqual(new Set(await search('장(대')), new Set(idsWhere((_, i) => i % 4 === 2)))
  assert.deepEqual(new Set(await search('POTHOS n-')), new Set(idsWhere((_, i) => i % 4 === 3)))
  assert.deepEqual(new Set(await search('육이 직거')), new Set(idsWhere((_, i) => i % 4 === 1)))
  assert.deepEqual(await search('육이 베란다'), [])
  assert.deepEqual(await search('%%'), [])
  const cheapest = posts.filter((_, i) => i % 2 === 0 && i % 3 === 1).map(({ id }) => id)
  assert.deepEqual(await search('베란다', '&category=succulent&sort=price'), cheapest)
  assert.deepEqual(
    await search('베란다', `&sellerId=${seller.id}&sort=price`),
    posts
      .filter((_, i) => i % 2 === 0)
      .toSorted((a, b) => a.price - b.price)
      .map(({ id }) => id),
  )
})

test('price ascends; popular is by wishes, then views; the list tells whether the caller wishes', async () => {
  const byPrice = await allOf<Post>(anybody, '/api/posts?sort=price', 5)
  assert.deepEqual(
    byPrice.map(({ price }) => price),
    posts.map(({ price }) => price).toSorted((a, b) => a - b),
  )
  const [first, second, third] = [posts[2]!.id, posts[7]!.id, posts[4]!.id]
  for (const { client } of [seller, other]) await client.put(`/api/posts/${first}/wish`)
  await other.client.put(`/api/posts/${second}/wish`)
  await other.client.put(`/api/posts/${third}/wish`)
  await anybody.get(`/api/posts/${second}`)
  assert.deepEqual((await find('sort=popular')).slice(0, 3), [first, second, third])
  const wished = async (client: Client): Promise<string[]> =>
    (await allOf<Post>(client, '/api/posts?sort=popular', 5)).filter((post) => post.wished).map(({ id }) => id)
  assert.deepEqual(await wished(other.client), [first, second, third])
  assert.deepEqual(await wished(seller.client), [first])
  assert.deepEqual(await wished(anybody), [])
})

test('pages of any size make the whole list, in every order', async () => {
  for (const sort of SORTS) {
    const whole = (await anybody.get<Page<Post>>(`/api/posts?sort=${sort}&limit=100`)).body.items
    assert.equal(whole.length, 12)
    for (const limit of [1, 5, 12, 100]) assert.deepEqual(await allOf(anybody, `/api/posts?sort=${sort}`, limit), whole)
  }
})

test('what is no query is refused, and names what is wrong', async () => {
  for (const [query, path] of [
    ['query=x', '/query'],
    ['query=%EA%B0%80', '/query'],
    ['query=%F0%9F%8C%BF', '/query'],
    ['query=a%20b%20c', '/query'],
    ['query=%20%20', '/query'],
    [`query=${'x'.repeat(101)}`, '/query'],
    ['query=ab&query=cd', '/query'],
    ['category=weed', '/category'],
    ['status=gone', '/status'],
    ['sort=cheap', '/sort'],
    ['sort=', '/sort'],
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['limit=x', '/limit'],
    ['cursor=x', '/cursor'],
    [`cursor=${'x'.repeat(2_000)}`, '/cursor'],
    [`cursor=${Buffer.from('["latest",["x"]]').toString('base64url')}`, '/cursor'],
    [`cursor=${Buffer.from(`["popular",[1e99,0,"${randomUUID()}"]]`).toString('base64url')}&sort=popular`, '/cursor'],
  ] as const) {
    const { errors } = assertProblem(await anybody.get(`/api/posts?${query}`), 400, 'validation_failed')
    assert.equal((errors as { path: string }[])[0]!.path, path, query)
  }
  assertProblem(await anybody.get('/api/posts?query=a%00b'), 400, 'validation_failed')
})

test('a cursor belongs to its order', async () => {
  for (const sort of SORTS) {
    const { next } = (await anybody.get<Page<Post>>(`/api/posts?sort=${sort}&limit=2`)).body
    for (const another of SORTS) {
      const answer = await anybody.get(`/api/posts?sort=${another}&limit=2&cursor=${encodeURIComponent(next!)}`)
      if (another === sort) assert.equal(answer.status, 200)
      else assertProblem(answer, 400, 'validation_failed')
    }
  }
})
