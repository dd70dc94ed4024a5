import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { chatMessageCreated, type userDeleted, type userProfileChanged } from '@pando/events'
import type { MessageView, Room } from '@pando/events/views'
import { append, createBell, type Database, type Reaction, type ReceivedOf, transaction } from '@pando/saga'
import { doSome } from '../src/chores.ts'
import { addFriend } from '../src/friends.ts'
import { addMessages, messageView } from '../src/message.ts'
import { members, profiles } from '../src/reactions.ts'
import { loadRooms, lockRooms } from '../src/room.ts'
import { appended } from './outbox.ts'

/** Somebody who is a member of the chat. */
export interface Somebody {
  userId: string
  name: string
}

/** Makes members, in the order of their ids; with `friends` all are friends of the first one. */
export async function people(db: Database, count: number, { friends = false } = {}): Promise<Somebody[]> {
  const made = Array.from({ length: count }, () => randomUUIDv7())
    .toSorted()
    .map((userId) => ({ userId, name: `Person ${userId.slice(-12)}` }))
  await db.query(
    `insert into chat.member (user_id, made_by, username, display_name)
     select id, gen_random_uuid(), 'u.' || id, name from unnest($1::uuid[], $2::text[]) m(id, name)`,
    [made.map(({ userId }) => userId), made.map(({ name }) => name)],
  )
  const [first, ...others] = made
  if (friends) for (const { userId } of others) await addFriend(db, { userId: first!.userId, otherId: userId })
  return made
}

/** Somebody writes into a room, so many times. */
export async function write(db: Database, roomId: string, { userId, name }: Somebody, count = 1): Promise<void> {
  await transaction(db, async (tx) => {
    const { lastSeq } = (await lockRooms(tx, [roomId])).get(roomId)!
    const sender = { id: userId, displayName: name }
    const texts = Array.from({ length: count }, () => ({
      roomId,
      sender,
      text: `by ${userId}`,
      clientMessageId: randomUUID(),
    }))
    for (const row of addMessages(tx, new Map([[roomId, lastSeq]]), texts))
      append(tx, chatMessageCreated({ message: messageView(row) }))
  })
}

const envelope = (type: string, userId: string) => ({
  id: randomUUIDv7(),
  type,
  version: 1,
  key: userId,
  time: new Date().toISOString(),
  sagaType: 'account-deletion',
  sagaId: randomUUIDv7(),
  causationId: null,
  correlationId: randomUUIDv7(),
  attempt: 1,
  topic: 'user',
  partition: 0,
  offset: 0,
  tries: 1,
})

/** What the user service says when somebody's account is gone, once the chat has suspended them. */
export async function deletionOf(db: Database, { userId }: Somebody): Promise<ReceivedOf<typeof userDeleted>> {
  const event = { ...envelope('user.deleted', userId), type: 'user.deleted' as const, data: { userId } }
  await db.query('update chat.member set held_by = $2 where user_id = $1', [userId, event.sagaId])
  return event
}

/** What it says when they have another name. */
export const renaming = ({ userId }: Somebody, name: string): ReceivedOf<typeof userProfileChanged> => ({
  ...envelope('user.profile-changed', userId),
  type: 'user.profile-changed',
  data: { userId, username: `u.${userId}`, displayName: name, statusMessage: '' },
})

/** The chat hears of events of the user service. */
export async function hear(
  db: Database,
  events: readonly (ReceivedOf<typeof userDeleted> | ReceivedOf<typeof userProfileChanged>)[],
): Promise<void> {
  for (const event of events) {
    const reaction: Reaction = event.type === 'user.deleted' ? members(createBell()) : profiles(createBell())
    await transaction(db, (tx) => reaction.react([event], tx))
  }
}

/** Does all chores that are due, one transaction after another; resolves with how many there were. */
export async function doAll(db: Database): Promise<number> {
  let transactions = 0
  while (await doSome(db, (error) => assert.fail(error))) transactions++
  return transactions
}

/** What is appended, in its order: what other services hear of. */
export interface Told {
  type: string
  key: string
  causationId: string | null
  data: {
    room: Room
    joined: string[]
    left: string[]
    only?: string
    by?: string
    roomId: string
    reason: string
    message: MessageView
    userId: string
    friendId: string
    displayName: string
  }
}
export const told = async (db: Database): Promise<Told[]> => (await appended(db)) as unknown as Told[]

/** Follows what was told of rooms from the beginning, and finds what may not be: a change that does not lead from what was to what is. */
export function replay(events: readonly Told[]): { rooms: Map<string, Room>; faults: string[] } {
  const rooms = new Map<string, Room>()
  const faults: string[] = []
  const idsOf = (room: Room | undefined): Set<string> => new Set(room?.members.map(({ user }) => user.id))
  for (const [i, { type, key, data }] of events.entries()) {
    const fault = (what: string): number => faults.push(`event ${i}, ${type} of ${key}: ${what}`)
    const before = rooms.get(key)
    switch (type) {
      case 'chat.room-opened':
        if (before) fault('there was one')
        rooms.set(key, data.room)
        break
      case 'chat.room-changed': {
        const expected = idsOf(before).union(new Set(data.joined)).difference(new Set(data.left))
        if (!before) fault('there was none')
        if (expected.symmetricDifference(idsOf(data.room)).size > 0) fault('other members than were told of')
        if (data.joined.some((id) => idsOf(before).has(id))) fault('joined before')
        if (data.left.some((id) => !idsOf(before).has(id))) fault('was not there to leave')
        if (data.room.lastSeq !== (before?.lastSeq ?? 0)) fault(`lastSeq ${data.room.lastSeq}, not ${before?.lastSeq}`)
        rooms.set(key, data.room)
        break
      }
      case 'chat.room-deleted':
        if (!rooms.delete(key)) fault('there was none')
        break
      case 'chat.message-created':
        if (data.message.seq !== (before?.lastSeq ?? 0) + 1) fault(`seq ${data.message.seq} after ${before?.lastSeq}`)
        if (before) rooms.set(key, { ...before, lastSeq: data.message.seq, lastMessage: data.message })
        break
      case 'chat.message-deleted':
        if (before?.lastSeq === data.message.seq) rooms.set(key, { ...before, lastMessage: data.message })
        break
    }
  }
  return { rooms, faults }
}

/** That what was told leads to what there is. */
export async function assertToldAll(db: Database): Promise<void> {
  const { rooms, faults } = replay(await told(db))
  assert.deepEqual(faults, [])
  const ids = (await db.query<{ id: string }>('select id from chat.room order by id')).map(({ id }) => id)
  assert.deepEqual([...rooms.keys()].toSorted(), ids)
  for (const [id, room] of await loadRooms(db, ids)) assert.deepEqual(rooms.get(id), room)
  assert.deepEqual(
    await db.query('select room_id from chat.message group by room_id having count(*) <> max(seq) or min(seq) <> 1'),
    [],
    'seq is dense',
  )
}
