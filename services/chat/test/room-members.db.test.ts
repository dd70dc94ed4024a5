import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { addFriend, removeFriend } from '../src/friends.ts'
import { block } from '../src/blocks.ts'
import { addMembers, leaveRoom } from '../src/room-members.ts'
import { findRoom, muteRoom, openDirect, openGroup } from '../src/rooms.ts'
import { assertToldAll, doAll, hear, people, renaming, told, write } from './world.ts'

const silent = { ring() {} }

test('adding, leaving, muting, writing and renaming at once: what is told, in its order, leads to what there is', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const everybody = await people(db, 8)
  for (const [i, { userId }] of everybody.entries())
    for (const other of everybody.slice(i + 1)) await addFriend(db, { userId, otherId: other.userId })
  const ids = everybody.map(({ userId }) => userId)
  const rooms = await Promise.all(
    ['one', 'two'].map((name) => openGroup(db, everybody[0]!, { name, userIds: ids.slice(0, 4) })),
  )
  const refused = (error: unknown): void =>
    assert.ok(['not_found', 'conflict'].includes((error as { code: string }).code), String(error))
  for (let round = 0; round < 6; round++)
    await Promise.all(
      everybody.flatMap((who, i) => {
        const { id } = rooms[(i + round) % 2]!
        return [
          addMembers(db, who, { roomId: id, userIds: [ids[(i + round + 3) % 8]!, ids[(i + 1) % 8]!] }).catch(refused),
          ...(i % 3 === round % 3 ? [leaveRoom({ db, chores: silent }, who, id).catch(refused)] : []),
          muteRoom(db, who, { roomId: id, muted: round % 2 === 0 }).catch(refused),
          ...(i === round ? [hear(db, [renaming(who, `${who.name}, the ${round}th`)])] : []),
          ...(i % 2 === 0 ? [write(db, id, who)] : []),
          ...(i === 5 ? [doAll(db)] : []),
        ]
      }),
    )
  await doAll(db)
  await assertToldAll(db)
  const events = await told(db)
  for (const type of ['chat.room-changed', 'chat.message-created'])
    assert.ok(events.some((event) => event.type === type))
  assert.ok(events.some(({ data }) => data.joined?.length > 0))
  assert.ok(events.some(({ data }) => data.left?.length > 0))
})

test('who comes is told of with the one who brought them, reads from there on, and comes back as new', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, friend, third] = await people(db, 3, { friends: true })
  const { id } = await openGroup(db, me!, { name: 'Group', userIds: [friend!.userId] })
  await write(db, id, friend!, 4)
  const joined = await addMembers(db, me!, {
    roomId: id,
    userIds: [third!.userId, me!.userId, friend!.userId, third!.userId],
  })
  const seen = await findRoom(db, third!, id)
  assert.deepEqual([seen.lastSeq, seen.lastReadSeq, seen.unread, seen.muted], [5, 4, 1, false])
  assert.deepEqual(joined.lastMessage?.system, {
    code: 'member_joined',
    users: [{ id: third!.userId, displayName: third!.name }],
    by: { id: me!.userId, displayName: me!.name },
  })
  assert.deepEqual(
    [joined.lastMessage?.kind, joined.lastMessage?.sender, joined.lastMessage?.text],
    ['system', null, null],
  )
  const last = (await told(db)).slice(-2)
  assert.deepEqual(
    last.map(({ type }) => type),
    ['chat.message-created', 'chat.room-changed'],
  )
  assert.deepEqual([last[1]!.data.joined, last[1]!.data.left, last[1]!.data.by], [[third!.userId], [], me!.userId])

  await muteRoom(db, third!, { roomId: id, muted: true })
  await leaveRoom({ db, chores: silent }, third!, id)
  assert.deepEqual((await findRoom(db, me!, id)).lastMessage?.system, {
    code: 'member_left',
    users: [{ id: third!.userId, displayName: third!.name }],
  })
  const count = (await told(db)).length
  assert.deepEqual(await addMembers(db, me!, { roomId: id, userIds: [friend!.userId] }), await findRoom(db, me!, id))
  assert.equal((await told(db)).length, count, 'nobody new, nothing told')
  await addMembers(db, me!, { roomId: id, userIds: [third!.userId] })
  const again = await findRoom(db, third!, id)
  assert.deepEqual([again.lastReadSeq, again.unread, again.muted, again.members.length], [6, 1, false, 3])
  assert.equal(again.members.at(-1)!.user.id, third!.userId)
  await assertToldAll(db)
})

test('only friends who have not blocked one can be brought, only into groups that one is in, and no more than 300', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const everybody = await people(db, 302, { friends: true })
  const [me, friend, blocker] = everybody
  const ids = everybody.map(({ userId }) => userId)
  const [stranger] = await people(db, 1)
  await block(db, { userId: blocker!.userId, otherId: me!.userId })
  await assert.rejects(openGroup(db, me!, { name: 'x', userIds: [friend!.userId, stranger!.userId] }), {
    code: 'forbidden',
  })
  await assert.rejects(openGroup(db, me!, { name: 'x', userIds: [blocker!.userId] }), { code: 'forbidden' })
  await assert.rejects(openGroup(db, me!, { name: 'x', userIds: [me!.userId] }), { code: 'validation_failed' })
  await assert.rejects(openGroup(db, me!, { name: 'x', userIds: [friend!.userId, 'nobody'] }), { code: 'not_found' })
  assert.deepEqual(await db.query('select from chat.room'), [])

  const { id } = await openGroup(db, me!, { name: 'x', userIds: ids.slice(3, 301) })
  const add = (userIds: string[]) => addMembers(db, me!, { roomId: id, userIds })
  for (const [userIds, code] of [
    [[stranger!.userId], 'forbidden'],
    [[blocker!.userId], 'forbidden'],
    [['nobody'], 'not_found'],
    [[friend!.userId, ids[301]!], 'conflict'],
  ] as const)
    await assert.rejects(add([...userIds]), { code })
  assert.equal((await add([friend!.userId])).members.length, 300)
  await assert.rejects(add([ids[301]!]), { code: 'conflict' })
  assert.equal((await add([friend!.userId, ids[10]!])).members.length, 300, 'who is in already takes no place')
  await removeFriend(db, { userId: me!.userId, otherId: friend!.userId })
  assert.equal((await add([friend!.userId])).members.length, 300, 'nor need they still be a friend')
  await assert.rejects(addMembers(db, stranger!, { roomId: id, userIds: [me!.userId] }), { code: 'not_found' })

  const { room } = await openDirect(db, me!, friend!.userId)
  await assert.rejects(addMembers(db, me!, { roomId: room.id, userIds: [ids[5]!] }), { code: 'conflict' })
  await assert.rejects(leaveRoom({ db, chores: silent }, me!, room.id), { code: 'conflict' })
  await assertToldAll(db)
})

test('the last one out takes the room along: at once for everybody, and with many messages some at a time', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [me, friend] = await people(db, 2, { friends: true })
  let rings = 0
  const chores = { ring: () => void rings++ }
  for (const [count, transactions] of [
    [498, 0],
    [1_300, 2],
  ] as const) {
    const { id } = await openGroup(db, me!, { name: 'Group', userIds: [friend!.userId] })
    await write(db, id, friend!, count)
    // Both are the last one, as far as they know.
    await Promise.all([me!, friend!].map((who) => leaveRoom({ db, chores }, who, id)))
    await assert.rejects(findRoom(db, me!, id), { code: 'not_found' })
    await assert.rejects(leaveRoom({ db, chores }, me!, id), { code: 'not_found' })
    const deleted = (await told(db)).filter(({ type, key }) => type === 'chat.room-deleted' && key === id)
    assert.deepEqual(
      deleted.map(({ data }) => data),
      [{ roomId: id, reason: 'empty' }],
    )
    const [left] = await db.query('select from chat.message where room_id = $1', [id])
    assert.equal(left !== undefined, transactions > 0)
    assert.equal(await doAll(db), transactions)
    for (const table of ['room', 'room_member', 'message', 'chore']) {
      assert.deepEqual(await db.query(`select from chat.${table}`), [], table)
    }
  }
  assert.equal(rings, 1)
  await assertToldAll(db)
})
