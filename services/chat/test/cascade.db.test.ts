// The rooms of a post that is deleted, with whoever opens one or writes in one meanwhile; crashes in the middle; and posts in disorder.
import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { test } from 'node:test'
import { createBell, type Database, type Received, transaction } from '@pando/saga'
import { Problem } from '@pando/service'
import { doSome } from '../src/chores.ts'
import { posts } from '../src/reactions.ts'
import { openTrade } from '../src/rooms.ts'
import { createSending } from '../src/sending.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { until } from '../../../test/support/until.ts'
import { assertToldAll, doAll, people, type Somebody, told, write } from './world.ts'

const ROUNDS = 1_000
const AT_ONCE = 4

const hear = (db: Database, ...events: Received[]): Promise<void> =>
  transaction(db, (tx) => posts(createBell()).react(events, tx))
const event = (type: string, postId: string, data: object): Received =>
  ({
    id: randomUUIDv7(),
    type: `market.${type}`,
    version: 1,
    key: postId,
    sagaType: 'post-deletion',
    sagaId: randomUUIDv7(),
    correlationId: randomUUIDv7(),
    data: { postId, ...data },
  }) as unknown as Received
const created = (postId: string, { userId: sellerId }: Somebody, title = 'Hoya') =>
  event('post-created', postId, { sellerId, title, price: 1, category: null, status: 'open' })
const reserved = (postId: string, { userId: sellerId }: Somebody) =>
  event('post-status-changed', postId, { sellerId, title: 'Hoya', status: 'reserved' })
const deleted = (postId: string, { userId: sellerId }: Somebody) => event('post-deletion-started', postId, { sellerId })
const countsOf = async (db: Database, postId: string): Promise<unknown> =>
  (await told(db))
    .filter(({ type, key }) => type === 'chat.post-rooms-deleted' && key === postId)
    .map(({ data }) => data)
const rest = async (db: Database): Promise<unknown[]> =>
  (
    await Promise.all(['room', 'room_member', 'message', 'chore'].map((table) => db.query(`select from chat.${table}`)))
  ).flat()

test('large rooms go in portions, small ones several at a time; a crash anywhere goes on where it was, and the counts are exact', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [seller, ...buyers] = await people(db, 40)
  const postId = randomUUIDv7()
  await hear(db, created(postId, seller!))
  let messages = 0
  for (const [i, buyer] of buyers.entries()) {
    const { room } = await openTrade(db, buyer, postId)
    const count = i === 20 ? 12_345 : i * 7
    if (count > 0) await write(db, room.id, buyer, count)
    messages += count
  }
  await hear(db, deleted(postId, seller!))
  let commits = 0
  const unsound: Database = {
    ...db,
    async lease() {
      const leased = await db.lease()
      const commit = async (): Promise<void> => {
        if (++commits % 2 === 0) throw Object.assign(new Error('died'), { code: '57P01' })
        await leased.commit()
      }
      return { ...leased, commit }
    },
  }
  let crashes = 0
  while (await doSome(unsound, assert.fail).catch(() => ++crashes > 0));
  assert.ok(crashes >= 3, `${crashes} crashes`)
  assert.deepEqual(await countsOf(db, postId), [{ postId, rooms: buyers.length, messages }])
  assert.deepEqual(await rest(db), [])
  const gone = (await told(db)).filter(({ type }) => type === 'chat.room-deleted')
  assert.equal(gone.length, buyers.length)
  assert.deepEqual(new Set(gone.map(({ data: { reason } }) => reason)), new Set(['post_deleted']))
})

test(`${ROUNDS} times: whoever opens a room or writes while the post is deleted leaves nothing behind`, async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [seller, early, late] = (await people(db, 3)) as [Somebody, Somebody, Somebody]
  const send = createSending(db)
  const word = (roomId: string, { userId }: Somebody) =>
    send({ roomId, userId, clientMessageId: randomUUID(), text: 'wait' })
  const settled = async (some: Promise<unknown>[]): Promise<number> => {
    const ends = await Promise.allSettled(some)
    for (const end of ends)
      if (end.status === 'rejected')
        assert.ok(end.reason instanceof Problem && end.reason.code === 'not_found', String(end.reason))
    return ends.filter(({ status }) => status === 'fulfilled').length
  }
  async function remove(postId: string, pauses: number): Promise<void> {
    // Sooner or later than the others.
    for (let i = 0; i < pauses; i++) await db.query('select 1')
    await hear(db, deleted(postId, seller))
    await doSome(db, assert.fail)
  }
  let opened = 0
  let sent = 0
  async function round(pauses: number): Promise<void> {
    const postId = randomUUIDv7()
    await hear(db, created(postId, seller))
    const { room } = await openTrade(db, early, postId)
    const [words, rooms] = await Promise.all([
      settled([word(room.id, early), word(room.id, seller), word(room.id, early)]),
      settled([openTrade(db, late, postId)]),
      remove(postId, pauses),
    ])
    sent += words
    opened += rooms
    await settled([openTrade(db, late, postId), word(room.id, early)])
  }
  for (let i = 0; i < ROUNDS; i += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => round((i / AT_ONCE + n) % 8)))
  await doAll(db)
  t.diagnostic(`${sent} words and ${opened} rooms came before the deletions`)
  assert.ok(sent > 0 && sent < 3 * ROUNDS && opened > 0 && opened < ROUNDS, 'both outcomes happen')
  assert.deepEqual(await rest(db), [])
  const events = await told(db)
  const sums = events.reduce(
    (sum, { type, data }) => {
      if (type === 'chat.room-opened') sum.rooms++
      else if (type === 'chat.message-created') sum.messages++
      else if (type === 'chat.post-rooms-deleted') {
        const { rooms, messages } = data as unknown as typeof sum
        sum.rooms -= rooms
        sum.messages -= messages
      }
      return sum
    },
    { rooms: 0, messages: 0 },
  )
  assert.deepEqual(sums, { rooms: 0, messages: 0 }, 'the sagas counted all of them')
})

/** The same database, whose commits wait until they are let go. */
function halted(db: Database): { db: Database; isHalted: Promise<void>; letGo: () => void } {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  async function lease() {
    const leased = await db.lease()
    const commit = async (): Promise<void> => {
      reached.resolve()
      await gate.promise
      await leased.commit()
    }
    return { ...leased, commit }
  }
  return { db: { ...db, lease }, isHalted: reached.promise, letGo: gate.resolve }
}

for (const what of ['opens a room', 'writes'] as const)
  test(`whoever ${what} and has not committed yet is waited for`, async (t) => {
    const db = await serviceDatabase(t, 'chat')
    const [seller, early, late] = (await people(db, 3)) as [Somebody, Somebody, Somebody]
    const postId = randomUUIDv7()
    await hear(db, created(postId, seller))
    const { room } = await openTrade(db, early, postId)
    const slow = halted(db)
    const { userId } = early
    const doing: Promise<unknown> =
      what === 'opens a room'
        ? openTrade(slow.db, late, postId)
        : createSending(slow.db)({ roomId: room.id, userId, clientMessageId: randomUUID(), text: 'wait' })
    await slow.isHalted
    const deletion = hear(db, deleted(postId, seller)).then(() => doAll(db))
    await until('the deletion waits', async () => {
      const waiting = await db.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return waiting.length > 0
    })
    slow.letGo()
    await Promise.all([doing, deletion])
    const [rooms, messages] = what === 'opens a room' ? [2, 0] : [1, 1]
    assert.deepEqual(await countsOf(db, postId), [{ postId, rooms, messages }])
    assert.deepEqual(await rest(db), [])
  })

test('of a post that is deleted before anything else is heard of it there is never a room', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [seller, buyer] = (await people(db, 2)) as [Somebody, Somebody]
  const postId = randomUUIDv7()
  await hear(db, deleted(postId, seller))
  await hear(db, created(postId, seller), reserved(postId, seller))
  await assert.rejects(openTrade(db, buyer, postId), { code: 'not_found' })
  await doAll(db)
  assert.deepEqual(await countsOf(db, postId), [{ postId, rooms: 0, messages: 0 }])
})

test('what happens to a post in one batch is said in its rooms in that order; what is repeated is not', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [seller, buyer] = (await people(db, 2)) as [Somebody, Somebody]
  const [postId, other] = [randomUUIDv7(), randomUUIDv7()].toSorted() as [string, string]
  await hear(db, created(postId, seller), created(other, seller))
  for (const id of [postId, other]) await openTrade(db, buyer, id)
  const reopened = event('post-status-changed', postId, { sellerId: seller.userId, title: 'Hoya', status: 'open' })
  await hear(db, reserved(postId, seller), reserved(other, seller), reopened, created(other, seller, 'Hoya'))
  await hear(db, reserved(postId, seller), reserved(postId, seller))
  const said = await db.query<{ post: string; code: string }>(
    `select r.post_id as post, m.system::json->>'code' as code from chat.message m join chat.room r on r.id = m.room_id order by r.post_id, m.seq`,
  )
  assert.deepEqual(
    said.map(({ post, code }) => [post, code]),
    [
      [postId, 'post_reserved'],
      [postId, 'post_reopened'],
      [postId, 'post_reserved'],
      [other, 'post_reserved'],
      [other, 'post_reopened'],
    ],
  )
  await assertToldAll(db)
})
