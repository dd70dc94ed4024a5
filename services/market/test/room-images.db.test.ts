// Images of rooms: as the chat tells of rooms and messages, their members see them, and they go.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Database, type Received, transaction } from '@pando/saga'
import { until } from '../../../test/support/until.ts'
import { removeUnused } from '../src/image-cleaning.ts'
import { createDiskStore } from '../src/image-store.ts'
import { createImages } from '../src/images.ts'
import { rooms } from '../src/reactions.ts'
import { photo } from './fixtures.ts'
import { age, assertProblem, attach, faults, startImages, type User } from './image-server.ts'
import { toldOf } from './market.ts'

const jpeg = await photo()

const event = (type: string, roomId: string, data: object): Received =>
  ({ type: `chat.${type}`, key: roomId, data }) as Received
const roomOf = (id: string, users: readonly Pick<User, 'id'>[]) => ({
  room: { id, members: users.map((user) => ({ user: { id: user.id } })) },
})
const opened = (id: string, ...users: Pick<User, 'id'>[]) =>
  event('room-opened', id, { ...roomOf(id, users), by: users[0]!.id })
const changed = (id: string, change: { joined?: string[]; left?: string[] }, ...users: Pick<User, 'id'>[]) =>
  event('room-changed', id, { ...roomOf(id, users), joined: [], left: [], ...change })
const deleted = (roomId: string) => event('room-deleted', roomId, { roomId, reason: 'empty' })
const shared = (roomId: string, { id: userId }: Pick<User, 'id'>, imageId: string) =>
  event('image-shared', roomId, { roomId, userId, imageId })
const withdrawn = (roomId: string, imageId: string) => event('image-withdrawn', roomId, { roomId, imageId })
const hear = (db: Database, ...events: Received[]): Promise<void> => transaction(db, (tx) => rooms.react(events, tx))
const stateOf = async (db: Database, id: string): Promise<unknown[]> =>
  Object.values(
    (await db.query('select state, scope, place_id as "placeId" from market.image where id = $1', [id]))[0] ?? {},
  )

test('an image of a room is for its members of that moment alone, and no cache keeps it for anybody else', async (t) => {
  const { db, user, nobody } = await startImages(t)
  const [owner, member, newcomer, stranger] = [user(), user(), user(), user()]
  const roomId = randomUUID()
  const id = await owner.image(jpeg)
  const path = `/api/images/${id}`
  await hear(db, opened(roomId, owner, member), shared(roomId, owner, id))
  for (const who of [owner, member]) {
    const { status, headers } = await who.get(path)
    assert.deepEqual([status, headers.get('cache-control')], [200, 'private, no-cache'])
    assert.equal((await who.get(path, { 'if-none-match': headers.get('etag')! })).status, 304)
  }
  for (const who of [newcomer, stranger, nobody])
    assertProblem(await who.get(path, { 'if-none-match': '*' }), 404, 'not_found')

  // Nobody comes or goes with that.
  await hear(db, changed(roomId, {}, owner))
  assert.equal((await member.get(path)).status, 200)
  await hear(db, changed(roomId, { joined: [newcomer.id], left: [member.id] }, owner, newcomer))
  assert.deepEqual([(await newcomer.get(path)).status, (await owner.get(path)).status], [200, 200])
  assertProblem(await member.get(path), 404, 'not_found')
  await hear(db, changed(roomId, { left: [owner.id] }, newcomer))
  assertProblem(await owner.get(path), 404, 'not_found')
})

test('who hears of an image sooner than the market is waited for, but not for what cannot come', async (t) => {
  const server = await startImages(t)
  const { db, user } = server
  let questions = 0
  const watched: Database = {
    ...db,
    query(text, values) {
      questions++
      return db.query(text, values)
    },
  }
  const images = createImages({ db: watched, config: { dataDir: server.folder, s3: undefined }, onError: assert.fail })
  const [owner, member] = [user(), user()]
  const roomId = randomUUID()
  const [id, another] = [await owner.image(jpeg), await owner.image(jpeg)]
  await hear(db, opened(roomId, owner))
  for (const news of [shared(roomId, owner, id), changed(roomId, { joined: [member.id] }, owner, member)]) {
    const asked = questions
    const early = images.find(id, member.id)
    await until('it is asked for again', () => questions > asked + 2)
    await hear(db, news)
    assert.deepEqual(await early, news.type === 'chat.room-changed' ? { isPublic: false } : undefined)
  }

  const asks = async (viewer: string | undefined, imageId: string): Promise<number> => {
    questions = 0
    assert.equal(await images.find(imageId, viewer), undefined)
    return questions
  }
  assert.ok((await asks(member.id, another)) > 2)
  assert.equal(await asks(undefined, another), 1)
  assert.equal(await asks(undefined, id), 1)
  assert.equal(await asks(member.id, randomUUID()), 1)
  await age(db, '1 hour')
  assert.equal(await asks(member.id, another), 1)
})

test('an image is a room’s only when its owner has sent it, it is stored, and no post has it', async (t) => {
  const { db, user } = await startImages(t)
  const [owner, other] = [user(), user()]
  const [roomId, postId] = [randomUUID(), randomUUID()]
  const [free, posted, inRoom] = [await owner.image(jpeg), await owner.image(jpeg), await owner.image(jpeg)]
  await attach(db, owner.id, [posted], postId)
  await hear(
    db,
    opened(roomId, owner, other),
    shared(roomId, other, free),
    shared(roomId, owner, posted),
    shared(roomId, owner, inRoom),
  )
  assert.deepEqual(await stateOf(db, free), ['stored', null, null])
  assert.deepEqual(await stateOf(db, posted), ['stored', 'post', postId])
  assert.deepEqual(await stateOf(db, inRoom), ['stored', 'room', roomId])
  assert.deepEqual(await faults(attach(db, owner.id, [inRoom], postId)), { '/imageIds/0': 'belongs to a room' })
  await hear(db, shared(randomUUID(), owner, inRoom), withdrawn(roomId, posted), withdrawn(randomUUID(), inRoom))
  assert.deepEqual(await stateOf(db, posted), ['stored', 'post', postId])
  assert.deepEqual(await stateOf(db, inRoom), ['stored', 'room', roomId])
  await db.query(`update market.image set state = 'storing' where id = $1`, [free])
  await hear(db, shared(roomId, owner, free))
  assert.deepEqual(await stateOf(db, free), ['storing', null, null])
})

test('it goes with its message or its room, whatever is heard together, and its files with the next cleaning', async (t) => {
  const { db, user, left, folder } = await startImages(t)
  const owner = user()
  const [kept, doomed] = [randomUUID(), randomUUID()]
  const images = await Promise.all(Array.from({ length: 4 }, () => owner.image(jpeg)))
  const [stays, goes, ofRoom, atOnce] = images as [string, string, string, string]
  await hear(
    db,
    opened(kept, owner),
    opened(doomed, owner),
    ...[stays, goes].map((id) => shared(kept, owner, id)),
    shared(doomed, owner, ofRoom),
    shared(kept, owner, atOnce),
    withdrawn(kept, atOnce),
  )
  assert.deepEqual(await stateOf(db, atOnce), ['released', null, null])
  await hear(db, withdrawn(kept, goes), deleted(doomed))
  for (const id of [goes, ofRoom]) assert.deepEqual(await stateOf(db, id), ['released', null, null])
  assert.deepEqual(await db.query('select room_id, user_id from market.room_member'), [
    { room_id: kept, user_id: owner.id },
  ])
  await hear(db, opened(doomed, owner), deleted(doomed))
  assert.equal((await db.query('select from market.room_member')).length, 1)
  await age(db, '25 hours')
  const store = createDiskStore({ folder, drafts: join(folder, 'drafts') })
  await removeUnused(db, store)
  const { rows, files } = await left()
  assert.deepEqual([rows, files.length, files.every((file) => file.includes(stays))], [1, 2, true])
})

test('an image is told of when it is stored, and not when that failed', async (t) => {
  const { db, user, folder } = await startImages(t)
  const owner = user()
  const imageId = await owner.image(jpeg)
  assert.deepEqual(await toldOf(db, 'market.image-stored'), [{ imageId, ownerId: owner.id }])
  const disk = createDiskStore({ folder, drafts: join(folder, 'drafts') })
  const failing = await startImages(t, {
    store: { ...disk, put: () => Promise.reject(new Error('no space')) },
  })
  assertProblem(await failing.user().upload(jpeg), 503, 'unavailable')
  assert.deepEqual(await toldOf(failing.db, 'market.image-stored'), [])
})
