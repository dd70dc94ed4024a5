import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Database } from '@pando/saga'
import { createViews, networkOf } from '../src/views.ts'
import { join, offer, openMarket } from './market.ts'

const viewsOf = async (db: Database, postId: string): Promise<number> =>
  (await db.query<{ views: number }>('select views from market.post_counter where post_id = $1', [postId]))[0]!.views
const SECRET = { secret: () => 'a secret of sixteen characters' }

test('each viewer counts once a day, however often and from wherever; the seller never', async (t) => {
  const db = await openMarket(t)
  const [seller = '', user = ''] = await join(db, 2)
  const { id } = await offer(db, seller)
  const views = createViews({ db, ...SECRET })
  for (let i = 0; i < 3; i++) {
    await views.count(id, { userId: seller, address: '192.0.2.9' })
    await views.count(id, { userId: user, address: `192.0.2.${i}` })
    await views.count(id, { address: '192.0.2.1' })
    await views.count(id, { address: '192.0.2.2' })
  }
  assert.equal(await viewsOf(db, id), 3)
  await views.count(randomUUID(), { address: '192.0.2.1' })
  assert.equal((await db.query('select from market.post_view')).length, 3)
  // The next day: what was seen is a day older.
  await db.query('update market.post_view set day = day - 1')
  await views.count(id, { userId: user, address: '192.0.2.1' })
  assert.equal(await viewsOf(db, id), 4)
})

test('neither an address nor a user stands in the table, and the hashes are of another secret in another installation', async (t) => {
  const db = await openMarket(t)
  const [seller = '', user = ''] = await join(db, 2)
  const { id } = await offer(db, seller)
  for (const secret of ['one secret of an installation', 'the secret of another one']) {
    const views = createViews({ db, secret: () => secret })
    await views.count(id, { address: '192.0.2.1' })
    await views.count(id, { userId: user, address: '192.0.2.1' })
  }
  const rows = await db.query<{ row: string; viewer: Buffer }>('select v::text as row, viewer from market.post_view v')
  assert.equal(new Set(rows.map(({ viewer }) => viewer.toString('hex'))).size, 4)
  for (const { row } of rows)
    for (const plain of [user, '192.0.2.1', Buffer.from('192.0.2.1').toString('hex')]) assert.ok(!row.includes(plain))
})

test('600 views of ten posts by two processes at once, each viewer twice: every counter is exact', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  const posts = await Promise.all(Array.from({ length: 10 }, () => offer(db, seller)))
  const processes = [createViews({ db, ...SECRET }), createViews({ db, ...SECRET })]
  await Promise.all(
    Array.from({ length: 600 }, (_, i) => {
      const viewer = { address: `198.51.100.${i % 30}` }
      // Posts in another order in each of them.
      const post = posts[i % 2 === 0 ? Math.floor(i / 60) : 9 - Math.floor(i / 60)]!
      return processes[i % 2]!.count(post.id, viewer)
    }),
  )
  for (const { id } of posts) {
    const [seen] = await db.query<{ count: number }>('select count(*) from market.post_view where post_id = $1', [id])
    assert.equal(await viewsOf(db, id), seen!.count)
    assert.equal(seen!.count, 30)
  }
})

test('a reader waits for nobody who changes the post', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  const { id } = await offer(db, seller)
  const busy = await db.connect()
  await busy.query('begin')
  await busy.query('select from market.post where id = $1 for update', [id])
  await createViews({ db, ...SECRET }).count(id, { address: '192.0.2.1' })
  assert.equal(await viewsOf(db, id), 1)
  await busy.close()
})

test('whoever was counted today does not even wait for the counter', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  const { id } = await offer(db, seller)
  const views = createViews({ db, ...SECRET })
  await views.count(id, { address: '192.0.2.1' })
  const busy = await db.connect()
  await busy.query('begin')
  await busy.query('select from market.post_counter where post_id = $1 for update', [id])
  await views.count(id, { address: '192.0.2.1' })
  await busy.close()
})

test('an IPv6 network of /64 is one address', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1:aaaa:bbbb:cccc:dddd', '2001:db8:0:1'],
    ['2001:0DB8:0000:0001::1', '2001:db8:0:1'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4'],
  ] as const)
    assert.equal(networkOf(address), network)
})
