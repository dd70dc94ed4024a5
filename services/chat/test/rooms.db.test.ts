import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoomView } from '@pando/events/views'
import { type Database, transaction } from '@pando/saga'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import type { Bookmark } from '../src/bookmark.ts'
import { bookmarkOf } from '../src/bookmark.ts'
import { block, unblock } from '../src/blocks.ts'
import { lockRooms } from '../src/room.ts'
import { createRoomList, type RoomPage } from '../src/room-list.ts'
import { addMembers, leaveRoom } from '../src/room-members.ts'
import { findRoom, muteRoom, openDirect, openGroup } from '../src/rooms.ts'
import { assertToldAll, deletionOf, doAll, hear, people, renaming, told, write } from './world.ts'

const silent = { ring() {} }
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

test('however many open the direct room of two at once, from both sides, there is one, and one event', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [a, b] = await people(db, 2)
  const opened = await Promise.all(
    Array.from({ length: 50 }, (_, i) => (i % 2 ? openDirect(db, a!, b!.userId) : openDirect(db, b!, a!.userId))),
  )
  assert.equal(new Set(opened.map(({ room }) => room.id)).size, 1)
  assert.equal(opened.filter(({ isNew }) => isNew).length, 1)
  assert.deepEqual(
    (await told(db)).map(({ type }) => type),
    ['chat.room-opened'],
  )
  await assertToldAll(db)
})

test('who is blocked when they ask opens nothing; at the same time either comes first', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  for (let round = 0; round < 15; round++) {
    const [a, b] = await people(db, 2)
    const [opened, blocked] = await Promise.allSettled([
      openDirect(db, a!, b!.userId),
      block(db, { userId: b!.userId, otherId: a!.userId }),
    ])
    assert.equal(blocked.status, 'fulfilled')
    if (opened.status === 'rejected') assert.equal(codeOf(opened.reason), 'forbidden')
    const rooms = await db.query('select from chat.room where low_id = $1', [a!.userId])
    assert.equal(rooms.length, opened.status === 'fulfilled' ? 1 : 0)
    await assert.rejects(openDirect(db, a!, b!.userId), { code: 'forbidden' })
    const { room } = await openDirect(db, b!, a!.userId)
    await unblock(db, { userId: b!.userId, otherId: a!.userId })
    assert.equal((await openDirect(db, a!, b!.userId)).room.id, room.id)
  }
  await assertToldAll(db)
})

/** All pages, one after the other; `between` happens before each but the first. */
async function turnPages(
  list: ReturnType<typeof createRoomList>,
  userId: string,
  limit: number,
  between: (page: number) => Promise<unknown> = async () => {},
): Promise<RoomView[]> {
  const items: RoomView[] = []
  let after: Bookmark | undefined
  for (let page = 1; ; page++) {
    const { items: some, next }: RoomPage = await list({ userId, after, limit })
    assert.ok(some.length <= limit)
    items.push(...some)
    if (next === null) return items
    after = bookmarkOf(next)
    await between(page)
  }
}

async function roomsOf(db: Database, count: number) {
  const [me, ...others] = await people(db, count + 1)
  const ids: string[] = []
  for (const { userId } of others) ids.push((await openDirect(db, me!, userId)).room.id)
  return { me: me!, others, ids }
}

test('the list is by last activity, in pages without a gap or a repeat, whatever their size, with rooms of the same moment', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const { me, others, ids } = await roomsOf(db, 12)
  await db.query(`update chat.room set active_at = '2026-01-01T00:00:00Z' where id = any($1::uuid[])`, [
    ids.slice(2, 8),
  ])
  for (const i of [9, 1, 4]) await write(db, ids[i]!, others[i]!)
  const expected = await db.query<{ id: string }>('select id from chat.room order by active_at desc, id desc')
  for (const limit of [1, 2, 3, 5, 12, 100]) {
    const rooms = await turnPages(createRoomList(db), me.userId, limit)
    assert.deepEqual(
      rooms.map(({ id }) => id),
      expected.map(({ id }) => id),
    )
    assert.deepEqual(
      rooms.slice(0, 3).map(({ id }) => id),
      [ids[4], ids[1], ids[9]],
    )
    assert.deepEqual(rooms, await Promise.all(rooms.map(({ id }) => findRoom(db, me, id))))
  }
  assert.deepEqual(await createRoomList(db)({ userId: others[0]!.userId, after: undefined, limit: 1 }), {
    items: [await findRoom(db, others[0]!, ids[0]!)],
    next: null,
  })
})

test('rooms that change while pages are turned are on no page twice, and push no other room out', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const { me, others, ids } = await roomsOf(db, 20)
  const list = createRoomList(db)
  const before = await turnPages(list, me.userId, 100)
  const moved = new Set<string>()
  const seen = await turnPages(list, me.userId, 3, async (page) => {
    // One that was shown already, and one that comes later.
    for (const { id } of [before[page]!, before[19 - page]!]) {
      moved.add(id)
      await write(db, id, others[ids.indexOf(id)]!)
    }
  })
  const seenIds = seen.map(({ id }) => id)
  assert.equal(new Set(seenIds).size, seenIds.length)
  assert.ok(moved.size > 4)
  assert.deepEqual(
    ids.filter((id) => !moved.has(id) && !seenIds.includes(id)),
    [],
  )
})

test('whatever changes in a room, by whomever, the next list has it, though it keeps what it has read', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, friend, third] = await people(db, 3, { friends: true })
  const group = await openGroup(db, me!, { name: '다육이 모임', userIds: [friend!.userId] })
  const { room: direct } = await openDirect(db, friend!, me!.userId)
  const lists = [createRoomList(db), createRoomList(db)]
  let last: unknown
  const changes: (() => Promise<unknown>)[] = [
    async () => {},
    () => write(db, group.id, friend!),
    () => write(db, direct.id, me!, 3),
    () => addMembers(db, me!, { roomId: group.id, userIds: [third!.userId] }),
    () => muteRoom(db, me!, { roomId: group.id, muted: true }),
    () =>
      transaction(db, async (tx) => {
        await lockRooms(tx, [direct.id])
        tx.send('update chat.room_member set last_read_seq = 2 where room_id = $1 and user_id = $2', [
          direct.id,
          friend!.userId,
        ])
      }),
    () => leaveRoom({ db, chores: silent }, third!, group.id),
    async () => {
      await hear(db, [renaming(friend!, 'Another name')])
      await doAll(db)
    },
    async () => {
      await hear(db, [await deletionOf(db, friend!)])
      await doAll(db)
    },
  ]
  for (const [i, change] of changes.entries()) {
    await change()
    const pages = await Promise.all(
      [...lists, ...lists].map((list) => list({ userId: me!.userId, after: undefined, limit: 30 })),
    )
    const fresh = await Promise.all(pages[0]!.items.map(({ id }) => findRoom(db, me!, id)))
    assert.equal(fresh.length, 2)
    for (const { items } of pages) assert.deepEqual(items, fresh, `after change ${i}`)
    assert.notDeepEqual(fresh, last, `change ${i} changes something`)
    last = fresh
  }
})

test('a page is as of one moment, though some of its rooms were read before: two that change together are shown so', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const { me, others, ids } = await roomsOf(db, 2)
  const list = createRoomList(db)
  let isOver = false
  const both = async (): Promise<void> => {
    for (let i = 0; i < 150; i++)
      await transaction(db, async (tx) => {
        await lockRooms(tx, ids)
        tx.send('update chat.room_member set last_read_seq = $1 where user_id = $2', [i, me.userId])
      })
    isOver = true
  }
  // The version of one of them alone goes on, so that only this one is read again.
  const one = async (): Promise<void> => {
    for (let i = 0; !isOver; i++) await muteRoom(db, others[0]!, { roomId: ids[0]!, muted: i % 2 === 0 })
  }
  const look = async (): Promise<void> => {
    while (!isOver) {
      const { items } = await list({ userId: me.userId, after: undefined, limit: 30 })
      assert.equal(items[0]!.lastReadSeq, items[1]!.lastReadSeq)
    }
  }
  await Promise.all([both(), one(), look(), look()])
})

test('a room is seen by its members alone, also when it is kept for others', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, friend, stranger] = await people(db, 3, { friends: true })
  const { id } = await openGroup(db, me!, { name: 'Ours', userIds: [friend!.userId] })
  const list = createRoomList(db)
  const [mine, strangers] = await Promise.all(
    [me!, stranger!].map(({ userId }) => list({ userId, after: undefined, limit: 30 })),
  )
  assert.deepEqual([mine!.items.length, strangers!.items.length], [1, 0])
  await assert.rejects(findRoom(db, stranger!, id), { code: 'not_found' })
  await leaveRoom({ db, chores: silent }, friend!, id)
  assert.deepEqual((await list({ userId: friend!.userId, after: undefined, limit: 30 })).items, [])
  await assert.rejects(findRoom(db, friend!, id), { code: 'not_found' })
  await assert.rejects(muteRoom(db, friend!, { roomId: id, muted: true }), { code: 'not_found' })
})
