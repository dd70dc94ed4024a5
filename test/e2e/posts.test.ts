// Posts: put up, looked at, changed, reserved and sold.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { person, sagaEnded } from '../support/people.ts'
import { offer, type Page, type Post } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const { market: db } = system.databases
const anybody = new Client(system.url)
const [seller, other] = await Promise.all([person(system.url), person(system.url)])
const draft = { title: '몬스테라 알보', content: '잎 세 장\n직거래', price: 25_000, category: 'foliage', imageIds: [] }

interface Told {
  postId: string
  status: string
  title: string
  price: number
  category: string | null
  buyerId?: string
}
/** What the log has of a post, in order. */
async function toldOf(postId: string): Promise<{ type: string; data: Told }[]> {
  const rows = await system.databases.log.query<{ body: string }>(
    `select body from log.record where type like 'market.post-%' and key = $1 order by "offset"`,
    [postId],
  )
  return rows.map(({ body }) => JSON.parse(body) as { type: string; data: Told })
}

test('a post is as it was written, with its seller as others see them', async () => {
  const { status, headers, body } = await seller.client.post<Post>('/api/posts', draft)
  assert.equal(status, 201)
  assert.equal(headers.location, `/api/posts/${body.id}`)
  assert.match(body.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  assert.match(body.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const { imageIds: _, ...written } = draft
  assert.deepEqual(body, {
    id: body.id,
    seller: { id: seller.id, username: seller.username, displayName: seller.displayName, statusMessage: '' },
    ...written,
    images: [],
    status: 'open',
    views: 0,
    wishes: 0,
    wished: false,
    createdAt: body.createdAt,
    updatedAt: body.createdAt,
  })
  assert.deepEqual((await seller.client.get(headers.location)).body, body)
  const { body: list } = await anybody.get<Page<Post>>('/api/posts')
  assert.deepEqual(list, { items: [body], next: null })
  // Without what may be left out.
  const { title, content, price } = draft
  const bare = await seller.client.post<Post>('/api/posts', { title, content, price })
  assert.deepEqual([bare.status, bare.body.category], [201, null])
})

test('at the limits, and one beyond them', async () => {
  const leaf = '🌿'
  for (const good of [
    { title: leaf.repeat(100) },
    { content: leaf.repeat(5_000) },
    { price: 0 },
    { price: 100_000_000 },
    { category: null },
    { category: 'other' },
    { unknown: 'is ignored' },
  ])
    assert.equal(
      (await seller.client.post('/api/posts', { ...draft, ...good })).status,
      201,
      JSON.stringify(good).slice(0, 40),
    )
  for (const [bad, path] of [
    [{ title: '' }, '/title'],
    [{ title: leaf.repeat(101) }, '/title'],
    [{ title: 'a\u0000' }, undefined],
    [{ title: undefined }, '/title'],
    [{ title: 7 }, '/title'],
    [{ content: '' }, '/content'],
    [{ content: leaf.repeat(5_001) }, '/content'],
    [{ price: -1 }, '/price'],
    [{ price: 100_000_001 }, '/price'],
    [{ price: 1.5 }, '/price'],
    [{ price: '1000' }, '/price'],
    [{ price: null }, '/price'],
    [{ category: 'weed' }, '/category'],
    [{ category: '' }, '/category'],
    [{ imageIds: [randomUUID()] }, '/imageIds/0'],
    [{ imageIds: Array.from({ length: 11 }, () => randomUUID()) }, '/imageIds'],
    [{ imageIds: 'x' }, '/imageIds'],
  ] as const) {
    const { errors } = assertProblem(
      await seller.client.post('/api/posts', { ...draft, ...bad }),
      400,
      'validation_failed',
    )
    assert.deepEqual((errors as { path: string }[] | undefined)?.[0]?.path, path)
  }
})

test('whoever has just signed up can sell at once, also while the market has not heard of them', async (t) => {
  const away = await startSystem(t, { services: ['user', 'customer', 'chat', 'notification'] })
  // The market is a process of its own that starts late: the sign-up has completed long before.
  const late = await person(away.url)
  const market = await away.join(['market'])
  const { status, body, text } = await new Client(market.url, { token: late.token }).post<Post>('/api/posts', draft)
  assert.equal(status, 201, text)
  assert.equal(body.seller.displayName, late.displayName)
})

test('the name beside a post is the present one', async () => {
  const who = await person(system.url)
  const { id } = await offer(who)
  await who.client.patch('/api/me', { displayName: 'Somebody new', statusMessage: 'x' })
  await until('the new name', async () => {
    const { body } = await who.client.get<Post>(`/api/posts/${id}`)
    return body.seller.displayName === 'Somebody new' && body.seller.statusMessage === 'x'
  })
})

test('an Idempotency-Key makes one post of many requests', async () => {
  const key = { 'idempotency-key': randomUUID() }
  const before = (await db.query('select from market.post')).length
  const answers = await Promise.all(Array.from({ length: 5 }, () => seller.client.post<Post>('/api/posts', draft, key)))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]))
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  assert.equal(answers[0]!.headers.location, `/api/posts/${answers[0]!.body.id}`)
  assert.equal((await db.query('select from market.post')).length, before + 1)
  assertProblem(await seller.client.post('/api/posts', { ...draft, price: 1 }, key), 409, 'idempotency_mismatch')
})

test('a view counts once a day for each user and address, never for the seller, and the answer has it', async () => {
  const { id } = await offer(seller)
  const viewsFor = async (client: Client): Promise<number> => (await client.get<Post>(`/api/posts/${id}`)).body.views
  assert.equal(await viewsFor(seller.client), 0)
  assert.equal(await viewsFor(anybody), 1)
  assert.equal(await viewsFor(anybody), 1)
  assert.equal(await viewsFor(other.client), 2)
  assert.equal(await viewsFor(other.client), 2)
  assert.equal(await viewsFor(seller.client), 2)
  // Behind a gateway the address is the one that the gateway tells.
  const { url } = await system.join(['market'])
  const from = (address: string) => new Client(url, { headers: { 'x-forwarded-for': address } })
  assert.equal(await viewsFor(from('203.0.113.1')), 3)
  assert.equal(await viewsFor(from('203.0.113.2')), 4)
  assert.equal(await viewsFor(from('203.0.113.1')), 4)
  assert.equal(await viewsFor(from('2001:db8::1')), 5)
  assert.equal(await viewsFor(from('2001:db8::2')), 5)
  // Somebody whose token is bad is anonymous.
  assert.equal(await viewsFor(new Client(system.url, { token: 'nonsense' })), 5)
  assert.equal(
    (await anybody.get<Page<Post>>(`/api/posts?sellerId=${seller.id}`)).body.items.find((post) => post.id === id)!
      .views,
    5,
  )
})

test('500 readers and 100 changes at once: every view is counted, the last change holds', async () => {
  const { id } = await offer(seller)
  const { url } = await system.join(['market'])
  await Promise.all([
    ...Array.from({ length: 500 }, (_, i) =>
      new Client(url, { headers: { 'x-forwarded-for': `198.51.100.${i % 250}` } })
        .get(`/api/posts/${id}`)
        .then(({ status }) => assert.equal(status, 200)),
    ),
    ...Array.from({ length: 100 }, (_, i) =>
      seller.client.patch(`/api/posts/${id}`, { price: i }).then(({ status }) => assert.equal(status, 200)),
    ),
  ])
  const { body } = await seller.client.get<Post>(`/api/posts/${id}`)
  assert.equal(body.views, 250)
  const told = await until('all that was told', async () => {
    const all = await toldOf(id)
    // Whether a change of the price to what it is was one depends on the order.
    return (await db.query('select from saga.outbox')).length === 0 && all
  })
  assert.equal(told.at(-1)!.data.price, body.price)
})

test('the seller changes any of it, and only the seller', async () => {
  const post = await offer(seller, draft)
  const path = `/api/posts/${post.id}`
  const changed = await seller.client.patch<Post>(path, { price: 0, category: null, title: '새 제목' })
  assert.equal(changed.status, 200)
  assert.ok(changed.body.updatedAt > post.updatedAt)
  assert.deepEqual(changed.body, {
    ...post,
    price: 0,
    category: null,
    title: '새 제목',
    updatedAt: changed.body.updatedAt,
  })
  // What changes nothing is no change.
  for (const nothing of [{}, { price: 0 }, { unknown: 1 }, { imageIds: [] }])
    assert.deepEqual((await seller.client.patch(path, nothing)).body, changed.body)
  for (const bad of [{ price: -1 }, { title: '' }, { content: null }, { category: 'x' }, { imageIds: [randomUUID()] }])
    assertProblem(await seller.client.patch(path, bad), 400, 'validation_failed')
  assertProblem(await other.client.patch(path, { price: 1 }), 403, 'forbidden')
  for (const id of [randomUUID(), 'x', post.id.toUpperCase(), `${post.id}x`, '%F0%9F%8C%BF'])
    assertProblem(await seller.client.patch(`/api/posts/${id}`, { price: 1 }), 404, 'not_found')
  for (const id of [randomUUID(), 'x', '..%2f..'])
    assertProblem(await anybody.get(`/api/posts/${id}`), 404, 'not_found')
  assert.deepEqual(
    (await anybody.get<Page<Post>>(`/api/posts?sellerId=${seller.id}&limit=1`)).body.items[0],
    changed.body,
  )
  const told = await until('the change', async () => {
    const all = await toldOf(post.id)
    return all.length === 2 && all
  })
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.title, data.price, data.category, data.status]),
    [
      ['market.post-created', draft.title, 25_000, 'foliage', 'open'],
      ['market.post-changed', '새 제목', 0, null, 'open'],
    ],
  )
})

test('open and reserved go both ways, sold is the end; the same again changes nothing', async () => {
  const { id } = await offer(seller)
  const set = (status: string, more: object = {}, { client } = seller) =>
    client.put<Post>(`/api/posts/${id}/status`, { status, ...more })
  const steps: [string, number][] = [
    ['open', 200],
    ['reserved', 200],
    ['reserved', 200],
    ['open', 200],
    ['reserved', 200],
    ['sold', 200],
    ['sold', 200],
    ['open', 409],
    ['reserved', 409],
  ]
  for (const [status, code] of steps) {
    const answer = await set(status)
    if (code === 200) assert.deepEqual([answer.status, answer.body.status], [200, status])
    else assertProblem(answer, 409, 'conflict')
  }
  for (const bad of ['', 'gone', 'OPEN']) assertProblem(await set(bad), 400, 'validation_failed')
  assertProblem(await set('sold', {}, other), 403, 'forbidden')
  assertProblem(await seller.client.put(`/api/posts/${randomUUID()}/status`, { status: 'sold' }), 404, 'not_found')
  assertProblem(await seller.client.put('/api/posts/x/status', { status: 'sold' }), 404, 'not_found')
  const told = await until('the changes', async () => {
    const all = (await toldOf(id)).filter(({ type }) => type === 'market.post-status-changed')
    return all.length === 4 && all
  })
  assert.deepEqual(
    told.map(({ data }) => data.status),
    ['reserved', 'open', 'reserved', 'sold'],
  )
  const straight = await offer(seller)
  assert.equal((await seller.client.put(`/api/posts/${straight.id}/status`, { status: 'sold' })).status, 200)
  const { body } = await anybody.get<Page<Post>>('/api/posts?status=sold')
  assert.deepEqual(new Set(body.items.map((post) => post.id)), new Set([id, straight.id]))
})

test('it is sold to somebody who talks with the seller about it', async () => {
  const { id } = await offer(seller)
  const path = `/api/posts/${id}/status`
  for (const buyerId of [other.id, seller.id, randomUUID(), 'x', '', null, 7]) {
    const { errors } = assertProblem(
      await seller.client.put(path, { status: 'sold', buyerId }),
      400,
      'validation_failed',
    )
    assert.equal((errors as { path: string }[])[0]!.path, '/buyerId')
  }
  assert.equal((await seller.client.get<Post>(`/api/posts/${id}`)).body.status, 'open')
  await db.query('insert into market.post_room (post_id, buyer_id) values ($1, $2)', [id, other.id])
  assert.equal((await seller.client.put(path, { status: 'sold', buyerId: other.id })).status, 200)
  const told = await until('the sale', async () => (await toldOf(id)).find(({ data }) => data.status === 'sold'))
  assert.equal(told.data.buyerId, other.id)
})

test('of two who sell and reopen at the same time, one is first', async () => {
  for (let i = 0; i < 10; i++) {
    const { id } = await offer(seller)
    const path = `/api/posts/${id}/status`
    await seller.client.put(path, { status: 'reserved' })
    const [sold, opened] = await Promise.all([
      seller.client.put(path, { status: 'sold' }),
      seller.client.put(path, { status: 'open' }),
    ])
    assert.equal(sold.status, 200)
    assert.ok([200, 409].includes(opened.status))
    assert.equal((await anybody.get<Post>(`/api/posts/${id}`)).body.status, 'sold')
  }
})

test('bodies and methods that are none', async () => {
  assertProblem(
    await seller.client.post('/api/posts', '{', { 'content-type': 'application/json' }),
    400,
    'malformed_json',
  )
  assertProblem(
    await seller.client.post('/api/posts', 'x=1', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'unsupported_media_type',
  )
  assertProblem(
    await seller.client.post('/api/posts', '[]', { 'content-type': 'application/json' }),
    400,
    'validation_failed',
  )
  assertProblem(
    await seller.client.post('/api/posts', { ...draft, content: 'x'.repeat(1 << 20) }),
    413,
    'payload_too_large',
  )
  const answer = await seller.client.put('/api/posts', draft)
  assertProblem(answer, 405, 'method_not_allowed')
  assert.match(answer.headers.allow!, /POST/)
})

test('the posts of somebody who has left are shown to nobody, and their token is none', async () => {
  const leaver = await person(system.url)
  const { id } = await offer(leaver)
  const { headers } = await leaver.client.delete('/api/me', { password: leaver.password })
  assert.equal((await sagaEnded(leaver.client, headers.location!)).status, 'completed')
  await until('no post', async () => (await anybody.get(`/api/posts/${id}`)).status === 404)
  const { body } = await anybody.get<Page<Post>>(`/api/posts?sellerId=${leaver.id}`)
  assert.deepEqual(body, { items: [], next: null })
  await until('the market knows', async () => (await leaver.client.get('/api/me/wishes')).status === 401)
  assertProblem(await leaver.client.post('/api/posts', draft), 401, 'unauthenticated')
})
