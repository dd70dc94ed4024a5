// Deletions and renames, done some at a time: crashes in the middle, several at once, and what happens meanwhile.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { createBell, type Database, transaction } from '@pando/saga'
import { tablesWith } from '../../../test/support/scan.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { until } from '../../../test/support/until.ts'
import { block } from '../src/blocks.ts'
import { createChores, doSome } from '../src/chores.ts'
import { addFriend } from '../src/friends.ts'
import { createMembership } from '../src/members.ts'
import { addMembers, leaveRoom } from '../src/room-members.ts'
import { findRoom, openDirect, openGroup } from '../src/rooms.ts'
import {
  assertToldAll,
  deletionOf,
  doAll,
  hear,
  people,
  renaming,
  replay,
  type Somebody,
  told,
  write,
} from './world.ts'

const silent = { ring() {} }

/** The chat's own tables in which this user is still to be found. */
const chatTablesWith = async (db: Database, { userId, name }: Somebody): Promise<string[]> =>
  (await tablesWith(db, [userId, name])).filter((table) => table.startsWith('chat.'))

/** The same database, whose commits fail every so often, as if the process or the connection had died. */
function unsound(db: Database, every: number): Database {
  let commits = 0
  return {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        async commit() {
          if (++commits % every === 0) throw Object.assign(new Error('died'), { code: '57P01' })
          await leased.commit()
        },
      }
    },
  }
}

/** Somebody with friends, blocks, direct rooms and groups, who has written, come, gone and brought others; and the others. */
async function busyLife(db: Database) {
  const [leaver, ...others] = await people(db, 5, { friends: true })
  const [a, b, c, d] = others as [Somebody, Somebody, Somebody, Somebody]
  await addFriend(db, { userId: a.userId, otherId: b.userId })
  await block(db, { userId: leaver!.userId, otherId: d.userId })
  await block(db, { userId: c.userId, otherId: leaver!.userId })
  const direct = (await openDirect(db, leaver!, a.userId)).room.id
  await write(db, direct, leaver!, 3)
  await write(db, direct, a, 2)
  const group = (await openGroup(db, a, { name: 'Many', userIds: [leaver!.userId] })).id
  await addMembers(db, leaver!, { roomId: group, userIds: [b.userId] })
  for (let i = 0; i < 6; i++) {
    await write(db, group, leaver!, 150)
    await write(db, group, a, 150)
  }
  const left = (await openGroup(db, leaver!, { name: 'Left', userIds: [a.userId, b.userId] })).id
  await write(db, left, leaver!, 4)
  await leaveRoom({ db, chores: silent }, leaver!, left)
  const alone = (await openGroup(db, leaver!, { name: 'Alone', userIds: [b.userId] })).id
  await write(db, alone, leaver!, 700)
  await leaveRoom({ db, chores: silent }, b, alone)
  return { leaver: leaver!, others: [a, b, c, d] as const, direct, group, left, alone }
}

async function assertErased(
  db: Database,
  { leaver, others, direct, group, left, alone }: Awaited<ReturnType<typeof busyLife>>,
) {
  assert.deepEqual(await chatTablesWith(db, leaver), [])
  const events = await told(db)
  const removed = events.filter(({ type }) => type === 'chat.member-removed')
  assert.deepEqual(
    removed.map(({ data }) => data),
    [{ userId: leaver.userId }],
  )
  assert.equal(events.at(-1), removed[0], 'at the very end')

  const deleted = events.filter(({ type }) => type === 'chat.message-deleted')
  const places = deleted.map(({ data: { message } }) => `${message.roomId} ${message.seq}`)
  assert.equal(new Set(places).size, places.length, 'each message once')
  const countIn = (roomId: string): number => deleted.filter(({ key }) => key === roomId).length
  // What they wrote, that they brought b, and that they left.
  assert.deepEqual([countIn(direct), countIn(group), countIn(left), countIn(alone)], [3, 901, 5, 0])
  for (const {
    data: { message },
  } of deleted) {
    const { sender, text, system, clientMessageId, deletedAt } = message
    assert.deepEqual([sender, text, system, clientMessageId], [null, null, undefined, undefined])
    assert.ok(deletedAt)
  }
  const [a] = others
  const shown = await findRoom(db, a, direct)
  assert.deepEqual(
    shown.members.map(({ user }) => user.id),
    [a.userId],
  )
  assert.deepEqual(await db.query('select from chat.room where id = $1', [alone]), [])
  assert.ok(events.some(({ type, key }) => type === 'chat.room-deleted' && key === alone))
  const friendsLost = events.filter(({ type }) => type === 'chat.friend-removed').map(({ data }) => data.friendId)
  assert.deepEqual(
    friendsLost.toSorted(),
    others.map(({ userId }) => userId),
  )
  const { rooms } = replay(events)
  assert.deepEqual([...rooms.keys()].toSorted(), [direct, group, left].toSorted())
  for (const [id, room] of rooms) {
    assert.equal(
      room.members.some(({ user }) => user.id === leaver.userId),
      false,
    )
    const seen = await findRoom(db, a, id)
    assert.deepEqual([room.lastMessage, room.lastSeq], [seen.lastMessage, seen.lastSeq])
  }
}

test('of somebody whose account is gone nothing is left, room by room, and only then that is said', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const life = await busyLife(db)
  const event = await deletionOf(db, life.leaver)
  await hear(db, [event, event])
  assert.equal(await createMembership(db)(life.leaver.userId), false, 'a member no more from the first moment')
  assert.equal(
    (await told(db)).some(({ type }) => type === 'chat.member-removed'),
    false,
  )
  assert.ok((await doAll(db)) > 8)
  await assertErased(db, life)
  assert.equal((await told(db)).at(-1)!.causationId, event.id)
  await hear(db, [event])
  assert.equal(await doAll(db), 0, 'told again it does nothing')
})

test('two processes whose every third transaction dies come to the same end', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const life = await busyLife(db)
  await hear(db, [await deletionOf(db, life.leaver)])
  let deaths = 0
  await runChores(t, [unsound(db, 3), unsound(db, 3)], () => deaths++)
  await until('the end', async () => (await db.query('select from chat.chore')).length === 0)
  assert.ok(deaths > 2)
  await assertErased(db, life)
})

/** Runs the loops of so many processes until the test ends. */
async function runChores(t: TestContext, databases: readonly Database[], onError: (error: Error) => void) {
  const bells = databases.map((db) => {
    const bell = createBell()
    const chores = createChores({ db, bell, onError })
    chores.start()
    t.after(() => chores.stop())
    return bell
  })
  return bells
}

test('two who go at once, by two processes, leave the same rooms one after the other', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [a, b, c] = await people(db, 3, { friends: true })
  await addFriend(db, { userId: b!.userId, otherId: c!.userId })
  const shared = (await openGroup(db, a!, { name: 'Shared', userIds: [b!.userId, c!.userId] })).id
  const pair = (await openDirect(db, a!, b!.userId)).room.id
  for (const room of [shared, pair]) for (const who of [a!, b!]) await write(db, room, who, 600)
  await hear(db, [await deletionOf(db, a!), await deletionOf(db, b!)])
  await runChores(t, [db, unsound(db, 4)], () => {})
  await until('the end', async () => (await db.query('select from chat.chore')).length === 0)
  for (const who of [a!, b!]) assert.deepEqual(await chatTablesWith(db, who), [])
  assert.deepEqual(await db.query('select id from chat.room'), [{ id: shared }])
  const events = await told(db)
  assert.deepEqual(
    events.filter(({ type }) => type === 'chat.room-deleted').map(({ key }) => key),
    [pair],
  )
  assert.equal(events.filter(({ type }) => type === 'chat.member-removed').length, 2)
  assert.deepEqual(
    (await findRoom(db, c!, shared)).members.map(({ user }) => user.id),
    [c!.userId],
  )
})

/** The same database, whose first commit waits until it is let go. */
function halted(db: Database): { db: Database; isHalted: Promise<void>; letGo: () => void } {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  return {
    db: {
      ...db,
      async lease() {
        const leased = await db.lease()
        return {
          ...leased,
          async commit() {
            reached.resolve()
            await gate.promise
            await leased.commit()
          },
        }
      },
    },
    isHalted: reached.promise,
    letGo: gate.resolve,
  }
}

/** Somebody does something and has not committed it when an event is heard. Both must come to an end, whichever comes first. */
async function meanwhile(
  db: Database,
  act: (db: Database) => Promise<unknown>,
  event: Parameters<typeof hear>[1][number],
) {
  const slow = halted(db)
  const acted = act(slow.db)
  await Promise.race([slow.isHalted, acted])
  let isHeard = false
  const heard = hear(db, [event])
    .then(() => doAll(db))
    .finally(() => (isHeard = true))
  await until('that it is heard, or waits', async () => {
    const waiting = await db.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return isHeard || waiting.length > 0
  })
  slow.letGo()
  await Promise.all([acted, heard])
}

/** What others can do that brings this user's id into a table. */
async function deedsWith(db: Database, { userId }: Somebody, friend: Somebody, third: Somebody) {
  await addFriend(db, { userId: friend.userId, otherId: third.userId })
  const { id } = await openGroup(db, friend, { name: 'Group', userIds: [third.userId] })
  return [
    (via: Database) => openDirect(via, friend, userId),
    (via: Database) => addMembers(via, friend, { roomId: id, userIds: [userId] }),
    (via: Database) => openGroup(via, friend, { name: 'Another', userIds: [userId, third.userId] }),
    (via: Database) => addFriend(via, { userId: third.userId, otherId: userId }),
    (via: Database) => block(via, { userId: third.userId, otherId: userId }),
  ]
}

test('what others do with somebody just before they are deleted is undone with the rest, and afterwards they are nobody', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  for (const n of [0, 1, 2, 3, 4]) {
    const [leaver, friend, third] = await people(db, 3, { friends: true })
    const deeds = await deedsWith(db, leaver!, friend!, third!)
    await meanwhile(db, deeds[n]!, await deletionOf(db, leaver!))
    assert.deepEqual(await chatTablesWith(db, leaver!), [], `deed ${n}`)
    for (const deed of deeds) await assert.rejects(deed(db), { code: 'not_found' })
  }
})

test('all of that at once, with the deletion in between: done or not found, and nothing of them stays', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  for (let round = 0; round < 5; round++) {
    const [leaver, friend, third] = await people(db, 3, { friends: true })
    const deeds = await deedsWith(db, leaver!, friend!, third!)
    const event = await deletionOf(db, leaver!)
    const before = deeds.map((deed) => deed(db))
    const heard = hear(db, [event]).then(() => doAll(db))
    const outcomes = await Promise.allSettled([...before, ...deeds.map((deed) => deed(db))])
    await heard
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.equal((outcome.reason as { code: string }).code, 'not_found')
    assert.deepEqual(await chatTablesWith(db, leaver!), [])
  }
})

test('a room that somebody comes into just when they are renamed is shown with the new name', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  for (const n of [0, 1, 2]) {
    const [who, friend, third] = await people(db, 3, { friends: true })
    const deeds = await deedsWith(db, who!, friend!, third!)
    await meanwhile(db, deeds[n]!, renaming(who!, `Renamed ${n}`))
    const { rooms } = replay(await told(db))
    const shown = [...rooms.values()].flatMap(({ members }) => members).filter(({ user }) => user.id === who!.userId)
    assert.deepEqual(
      shown.map(({ user }) => user.displayName),
      [`Renamed ${n}`],
    )
  }
  await assertToldAll(db)
})

test('after a change of name every room is shown anew, some at a time, and a crash in the middle loses none', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, ...others] = await people(db, 46)
  for (const { userId } of others) await openDirect(db, me!, userId)
  await hear(db, [renaming(me!, 'Once')])
  await assert.rejects(doSome(unsound(db, 1), assert.fail), { code: '57P01' })
  assert.equal(await doSome(db, assert.fail), true)
  await assert.rejects(doSome(unsound(db, 1), assert.fail), { code: '57P01' })
  assert.equal((await told(db)).filter(({ type }) => type === 'chat.room-changed').length, 20)

  await hear(db, [renaming(me!, 'Twice')])
  assert.equal(await doAll(db), 3, 'from the beginning, once for both')
  const changes = (await told(db)).filter(({ type }) => type === 'chat.room-changed').slice(20)
  assert.equal(new Set(changes.map(({ key }) => key)).size, 45)
  assert.equal(changes.length, 45)
  for (const { data } of changes) assert.deepEqual([data.joined, data.left, data.only], [[], [], undefined])
  await assertToldAll(db)
})

test('somebody who is renamed and deleted at once is gone, and a late change of name changes nothing', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const life = await busyLife(db)
  const { leaver } = life
  await hear(db, [renaming(leaver, 'Neu'), await deletionOf(db, leaver), renaming(leaver, 'Late')])
  await doAll(db)
  await assertErased(db, life)
  assert.deepEqual(await chatTablesWith(db, { ...leaver, name: 'Neu' }), [])
})

test('a chore that cannot be done is left alone for a minute and told of; the others are done', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const life = await busyLife(db)
  await db.query(
    `insert into chat.chore (about, kind, cause, due_at) values ($1, 'erase', 'no JSON', now() - interval '1 hour')`,
    [randomUUID()],
  )
  await hear(db, [await deletionOf(db, life.leaver)])
  const errors: Error[] = []
  while (await doSome(db, (error) => errors.push(error)));
  assert.equal(errors.length, 1)
  assert.match(errors[0]!.message, /"erase"/)
  await assertErased(db, life)
  const left = await db.query<{ seconds: number }>(
    `select extract(epoch from due_at - now())::float8 as seconds from chat.chore where cause = 'no JSON'`,
  )
  assert.equal(left.length, 1)
  assert.ok(left[0]!.seconds > 50 && left[0]!.seconds <= 60)
})

test('the bell wakes the loop, once what was added is committed; without it the loop looks by itself', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, friend] = await people(db, 2)
  await openDirect(db, me!, friend!.userId)
  const [bell] = await runChores(t, [db], assert.fail)
  const isDone = async () => (await db.query('select from chat.chore')).length === 0
  await hear(db, [renaming(me!, 'Heard by nobody')])
  await until('the look', isDone)
  const { addChores } = await import('../src/chore.ts')
  await transaction(db, async (tx) => addChores(tx, bell!, 'show', [{ about: me!.userId }]))
  await until('the chore', isDone, 1_000)
})
