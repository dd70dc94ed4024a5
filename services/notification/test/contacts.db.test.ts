import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Database } from '@pando/saga'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { presenceNews, presenceOf } from '../src/contacts.ts'

const befriend = (db: Database, pairs: readonly (readonly [string, string])[]): Promise<unknown> =>
  db.query('insert into notification.friend select * from unnest($1::uuid[], $2::uuid[])', [
    pairs.flatMap(([a, b]) => [a, b]),
    pairs.flatMap(([a, b]) => [b, a]),
  ])
const gather = (db: Database, userIds: readonly string[]): Promise<unknown> =>
  db.query('insert into notification.room_member select $1, unnest($2::uuid[])', [randomUUID(), userIds])
/** They are online or not, since so many seconds. */
const set = (db: Database, userIds: readonly string[], online: boolean, secondsAgo = 60): Promise<unknown> =>
  db.query(
    `insert into notification.online select unnest($1::uuid[]), $2, now() - make_interval(secs => $3), now() - make_interval(secs => $3)
     on conflict (user_id) do update set online = excluded.online, changed_at = excluded.changed_at`,
    [userIds, online, secondsAgo],
  )
const newsOf = async (db: Database, ...userIds: string[]): Promise<Map<string, [boolean, Set<string>]>> =>
  new Map(
    (await presenceNews(db, userIds)).map(({ view, audience }) => [view.userId, [view.online, new Set(audience)]]),
  )

test('told are friends and members of shared rooms who are online, once each, and nobody else', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [one, friend, both, roomMate, offline, stranger, friendsFriend] = Array.from({ length: 7 }, () => randomUUID())
  await befriend(db, [
    [one!, friend!],
    [one!, both!],
    [one!, offline!],
    [friend!, friendsFriend!],
  ])
  await gather(db, [one!, both!, roomMate!])
  await gather(db, [one!, both!])
  await gather(db, [stranger!, friendsFriend!])
  await set(db, [one!, friend!, both!, roomMate!, stranger!, friendsFriend!], true)
  await set(db, [offline!], false)
  assert.deepEqual(await newsOf(db, one!), new Map([[one, [true, new Set([friend, both, roomMate])]]]))
  await set(db, [one!], false)
  assert.deepEqual(await newsOf(db, one!), new Map([[one, [false, new Set([friend, both, roomMate])]]]))
  const found = await presenceOf(db, one!, [stranger!, offline!, roomMate!, one!, friendsFriend!, randomUUID()])
  assert.deepEqual(
    found.map(({ userId, online }) => [userId, online]),
    [
      [offline, false],
      [roomMate, true],
      [one, false],
    ],
  )
  const unseen = randomUUID()
  await befriend(db, [[one!, unseen]])
  assert.deepEqual(await presenceOf(db, one!, [unseen]), [{ userId: unseen, online: false, lastSeenAt: null }])
})

test('whoever comes hears of what has changed while they came, so that two who come at once see each other', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [one, other, earlier] = Array.from({ length: 3 }, () => randomUUID())
  await befriend(db, [
    [one!, other!],
    [one!, earlier!],
  ])
  await set(db, [other!], true, 1)
  await set(db, [earlier!], true, 60)
  await set(db, [one!], true, 0)
  // The other was told of when `one` was not online yet, and `one` has asked before that.
  assert.deepEqual(
    await newsOf(db, one!),
    new Map([
      [one, [true, new Set([other, earlier])]],
      [other, [true, new Set([one])]],
    ]),
  )
  await set(db, [one!], false, 0)
  assert.deepEqual([...(await newsOf(db, one!)).keys()], [one], 'whoever goes hears nothing')
})

test('five hundred who come at once, with fifty contacts each, are a moment, without any statistics', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const users = Array.from({ length: 5_000 }, () => randomUUID())
  await befriend(
    db,
    users.flatMap((user, i) =>
      Array.from({ length: 25 }, (_, n) => [user, users[(i + n + 1) % users.length]!] as const),
    ),
  )
  await set(db, users, true)
  const from = performance.now()
  const news = await presenceNews(db, users.slice(0, 500))
  const took = performance.now() - from
  assert.equal(news.length, 500)
  assert.ok(news.every(({ audience }) => audience.length === 50))
  assert.ok(took < 5_000, `${took} ms`)
  t.diagnostic(`${took.toFixed(0)} ms`)
})
