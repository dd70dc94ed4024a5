import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createDatabase, type Database } from '@pando/saga'
import { Problem } from '@pando/service'
import { addMembers, addRoom, readStateOf } from '../../../test/support/rooms.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { deleteMessage, listMessages } from '../src/messages.ts'
import { createSending, type Sending } from '../src/sending.ts'
import { appended } from './outbox.ts'

const sending = (roomId: string, userId: string, text = 'hello', clientMessageId = randomUUID()): Sending => ({
  roomId,
  userId,
  clientMessageId,
  text,
})
const storedIn = async (db: Database, roomId: string): Promise<{ seq: number; text: string | null }[]> =>
  db.query('select seq, text from chat.message where room_id = $1 order by seq', [roomId])
const is = (code: string) => (thrown: unknown) => thrown instanceof Problem && thrown.code === code
const outcome = <T>(result: PromiseSettledResult<T>): T | string =>
  result.status === 'fulfilled'
    ? result.value
    : result.reason instanceof Problem
      ? result.reason.code
      : String(result.reason)

test('the same message fifty times at once on two instances is one message, one seq and one event', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const other = createDatabase({ connectionString: db.url })
  t.after(() => other.close())
  const [anna] = (await addMembers(db, 1)) as [string]
  const instances = [createSending(db), createSending(other)]
  // Some times, since each time is one race of the two.
  const rooms = await Promise.all(Array.from({ length: 10 }, () => addRoom(db, [anna])))
  for (const roomId of rooms) {
    const one = sending(roomId, anna)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => instances[i % 2]!(one)))
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1)
    for (const { message } of answers) assert.deepEqual(message, answers[0]!.message)
    assert.deepEqual(await storedIn(db, roomId), [{ seq: 1, text: 'hello' }])
    assert.deepEqual(
      (await appended(db)).filter(({ key }) => key === roomId).map(({ type, data }) => [type, data.message]),
      [['chat.message-created', answers[0]!.message]],
    )
  }
})

test('another text under the same clientMessageId is a conflict, whether the first is stored or under way', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const roomId = await addRoom(db, [anna, ben])
  const send = createSending(db)
  const id = randomUUID()
  const together = await Promise.allSettled(
    ['first', 'second', 'first'].map((text) => send(sending(roomId, anna, text, id))),
  )
  assert.deepEqual(
    together.map(outcome).map((result) => (typeof result === 'string' ? result : [result.message.seq, result.isNew])),
    [[1, true], 'conflict', [1, false]],
  )
  await assert.rejects(send(sending(roomId, anna, 'second', id)), is('conflict'))
  // The id is the sender's own, and the room's.
  assert.equal((await send(sending(roomId, ben, 'second', id))).isNew, true)
  assert.equal((await send(sending(await addRoom(db, [anna]), anna, 'second', id))).isNew, true)
})

test('each of a batch has an outcome of its own: who may not write spoils nothing for the others', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben, held, gone, stranger] = (await addMembers(db, 5)) as [string, string, string, string, string]
  const group = await addRoom(db, [anna, ben, held, gone])
  const direct = await addRoom(db, [anna, ben], 'direct')
  await db.query('update chat.member set held_by = gen_random_uuid() where user_id = $1', [held])
  await db.query('update chat.room_member set left_at = now() where user_id = $1', [gone])
  await db.query('insert into chat.block (user_id, blocked_id) values ($1, $2)', [ben, anna])
  const send = createSending(db)
  const results = await Promise.allSettled(
    [
      sending(group, anna, 'one'),
      sending(direct, anna, 'to who has blocked me'),
      sending(group, held, 'while my account is deleted'),
      sending(group, gone, 'after I left'),
      sending(group, stranger, 'never was in'),
      sending(randomUUID(), anna, 'no such room'),
      sending(direct, ben, 'to whom I have blocked'),
      sending(group, ben, 'two'),
      sending(group, anna, 'three'),
    ].map(send),
  )
  assert.deepEqual(
    results.map(outcome).map((result) => (typeof result === 'string' ? result : result.message.seq)),
    [1, 'forbidden', 'forbidden', 'not_found', 'not_found', 'not_found', 1, 2, 3],
  )
  assert.deepEqual(
    (await storedIn(db, group)).map(({ text }) => text),
    ['one', 'two', 'three'],
  )
  const state = await readStateOf(db, group)
  assert.deepEqual([state.lastSeq, state.reads.get(anna), state.reads.get(ben)], [3, 3, 2])
})

test('who has sent a message gets it again, also when they may write no more, and its tombstone when it is deleted', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const roomId = await addRoom(db, [anna, ben], 'direct')
  const send = createSending(db)
  const one = sending(roomId, anna)
  const { message } = await send(one)
  await db.query('insert into chat.block (user_id, blocked_id) values ($1, $2)', [ben, anna])
  assert.deepEqual(await send(one), { message, isNew: false })
  await deleteMessage(db, { roomId, userId: anna, seq: 1 })
  const again = await send(one)
  assert.equal(again.isNew, false)
  assert.ok(again.message.deletedAt)
  assert.deepEqual(again.message, { ...message, text: null, deletedAt: again.message.deletedAt })
  assert.deepEqual(await listMessages(db, { roomId, userId: ben }, { after: 0, limit: 10 }), [again.message])
})

test('each event carries the trace of its own request, and an attempt to repeat one has none', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const users = await addMembers(db, 3)
  const roomId = await addRoom(db, users)
  const send = createSending(db)
  const traces = ['a', 'b', 'c'].map((digit) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`)
  const first = sending(roomId, users[0]!, 'first')
  await Promise.all([
    send({ ...first, traceparent: traces[0] }),
    send(sending(roomId, users[1]!)),
    send({ ...sending(roomId, users[2]!), traceparent: traces[1] }),
    send({ ...first, traceparent: traces[2] }),
  ])
  assert.deepEqual(
    (await appended(db)).map(({ traceparent }) => traceparent),
    [traces[0], undefined, traces[1]],
  )
})

test('a transaction that fails leaves neither message nor event, fails all who share it, and is no trouble later', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const roomId = await addRoom(db, [anna, ben])
  const send = createSending(db)
  await send(sending(roomId, anna, 'before'))
  // The last statement before the events: all others have succeeded by then.
  await db.query('alter table chat.room_member add constraint broken check (last_read_seq < 2)')
  const attempts = [sending(roomId, anna, 'one'), sending(roomId, ben, 'two')]
  const failed = await Promise.allSettled(attempts.map(send))
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.deepEqual(await storedIn(db, roomId), [{ seq: 1, text: 'before' }])
  assert.equal((await readStateOf(db, roomId)).lastSeq, 1)
  assert.equal((await appended(db)).length, 1)
  await db.query('alter table chat.room_member drop constraint broken')
  const sent = await Promise.all(attempts.map(send))
  assert.deepEqual(
    sent.map(({ message, isNew }) => [message.seq, isNew]),
    [
      [2, true],
      [3, true],
    ],
  )
  assert.deepEqual(
    (await appended(db)).map(({ data }) => data.message.seq),
    [1, 2, 3],
  )
})

test('when the answer to a commit is lost, the same message again has the same seq', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  const lost = Object.assign(new Error('the connection was cut'), { code: 'ECONNRESET' })
  const cut: Database = {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        async commit() {
          await leased.commit()
          throw lost
        },
      }
    },
  }
  const one = sending(roomId, anna)
  await assert.rejects(createSending(cut)(one), lost)
  assert.deepEqual(await storedIn(db, roomId), [{ seq: 1, text: 'hello' }])
  const { message, isNew } = await createSending(db)(one)
  assert.deepEqual([message.seq, message.text, isNew], [1, 'hello', false])
  assert.equal((await appended(db)).length, 1)
})

test('a room that is deleted meanwhile takes no message', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  await db.query('delete from chat.room where id = $1', [roomId])
  await assert.rejects(createSending(db)(sending(roomId, anna)), is('not_found'))
})

test('the name beside a message is the one of its moment', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  const send = createSending(db)
  await send(sending(roomId, anna))
  await db.query(`update chat.member set display_name = 'Anna now' where user_id = $1`, [anna])
  await send(sending(roomId, anna))
  const names = (await listMessages(db, { roomId, userId: anna }, { after: 0, limit: 10 })).map(
    ({ sender }) => sender?.displayName,
  )
  assert.deepEqual(names, ['Person 1', 'Anna now'])
})
