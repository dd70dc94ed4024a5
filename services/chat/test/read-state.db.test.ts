import assert from 'node:assert/strict'
import { randomInt, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createDatabase, type Database } from '@pando/saga'
import { createRandom } from '@pando/saga/testing'
import { Problem } from '@pando/service'
import { addMembers, addRoom, readStateOf } from '../../../test/support/rooms.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { deleteMessage } from '../src/messages.ts'
import { createReadState } from '../src/read-state.ts'
import { createSending } from '../src/sending.ts'
import { appended } from './outbox.ts'

const code = (thrown: unknown): string => (thrown instanceof Problem ? thrown.code : String(thrown))

/** A room with so many messages in it, all of them the first member's. */
async function roomWith(db: Database, users: readonly string[], messages: number): Promise<string> {
  const roomId = await addRoom(db, users)
  const send = createSending(db)
  const sends = Array.from({ length: messages }, (_, i) =>
    send({ roomId, userId: users[0]!, clientMessageId: randomUUID(), text: `message ${i + 1}` }),
  )
  await Promise.all(sends)
  return roomId
}

/** How far the events say that the user has read, one after the other. */
const readsOf = async (db: Database, roomId: string, userId: string): Promise<number[]> =>
  (await appended(db))
    .filter(({ type, key, data }) => type === 'chat.room-read' && key === roomId && data.userId === userId)
    .map(({ data }) => data.lastReadSeq)

test('a read state only goes forward, and there is an event only when it has moved', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben, gone] = (await addMembers(db, 3)) as [string, string, string]
  const roomId = await roomWith(db, [anna, ben, gone], 5)
  await db.query('update chat.room_member set left_at = now() where user_id = $1', [gone])
  const read = createReadState(db)
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  await read({ roomId, userId: ben, seq: 3, traceparent })
  for (const seq of [3, 2, 1]) await read({ roomId, userId: ben, seq })
  assert.equal((await readStateOf(db, roomId)).reads.get(ben), 3)
  await read({ roomId, userId: ben, seq: 5 })
  // The sender has read what she has sent.
  await read({ roomId, userId: anna, seq: 5 })
  assert.deepEqual(await readsOf(db, roomId, ben), [3, 5])
  assert.deepEqual(await readsOf(db, roomId, anna), [])
  assert.deepEqual(
    (await appended(db)).filter(({ type }) => type === 'chat.room-read').map((event) => event.traceparent),
    [traceparent, undefined],
  )
  for (const [place, expected] of [
    [{ roomId, userId: ben, seq: 6 }, 'validation_failed'],
    [{ roomId, userId: ben, seq: 1e300 }, 'validation_failed'],
    [{ roomId, userId: gone, seq: 1 }, 'not_found'],
    [{ roomId, userId: randomUUID(), seq: 1 }, 'not_found'],
    [{ roomId: randomUUID(), userId: ben, seq: 1 }, 'not_found'],
  ] as const)
    assert.equal(await read(place).then(String, code), expected)
  assert.equal((await readStateOf(db, roomId)).reads.get(ben), 5)
})

test('each of a batch has an outcome of its own', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const roomId = await roomWith(db, [anna, ben], 3)
  const read = createReadState(db)
  const results = await Promise.all(
    [2, 9, 1, 3].map((seq) => read({ roomId, userId: ben, seq }).then(() => 'done', code)),
  )
  assert.deepEqual(results, ['done', 'validation_failed', 'done', 'done'])
  assert.deepEqual(await readsOf(db, roomId, ben), [2, 3])
  assert.equal((await readStateOf(db, roomId)).reads.get(ben), 3)
})

test('however many say so at once on two instances, a read state never goes back', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const other = createDatabase({ connectionString: db.url })
  t.after(() => other.close())
  const users = (await addMembers(db, 2)) as [string, string]
  const roomId = await roomWith(db, users, 100)
  const instances = [createReadState(db), createReadState(other)]
  let isOver = false
  const seen: number[] = []
  const watch = (async () => {
    while (!isOver) seen.push((await readStateOf(db, roomId)).reads.get(users[1])!)
  })()
  const said = Array.from({ length: 400 }, () => randomInt(1, 101))
  for (let i = 0; i < said.length; i += 20)
    await Promise.all(said.slice(i, i + 20).map((seq, n) => instances[n % 2]!({ roomId, userId: users[1], seq })))
  isOver = true
  await watch
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  )
  const reads = await readsOf(db, roomId, users[1])
  assert.deepEqual(
    reads,
    [...new Set(reads)].toSorted((a, b) => a - b),
  )
  assert.equal((await readStateOf(db, roomId)).reads.get(users[1]), Math.max(...said))
  assert.equal(reads.at(-1), Math.max(...said))
})

test('after anything at all, what is unread is what a recount finds, and what the events tell', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const other = createDatabase({ connectionString: db.url })
  t.after(() => other.close())
  const users = await addMembers(db, 4)
  const seed = Number(process.env.SEED ?? randomInt(1e9))
  const random = createRandom(seed)
  const rooms = [await addRoom(db, users), await addRoom(db, users.slice(1))]
  const instances = [db, other].map((one) => ({ db: one, send: createSending(one), read: createReadState(one) }))
  // What each member has sent or read up to, by the answers; nobody may have read less.
  const least = new Map<string, number>()
  const atLeast = (roomId: string, userId: string, seq: number): void => {
    const key = `${roomId} ${userId}`
    least.set(key, Math.max(least.get(key) ?? 0, seq))
  }
  async function act(): Promise<void> {
    const [instance, second] = [random.pick(instances), random.pick(instances)]
    const roomId = random.pick(rooms)
    const userId = random.pick(users)
    const what = random.below(10)
    const seq = 1 + random.below(60)
    if (what < 5) {
      const clientMessageId = randomUUID()
      const sending = { roomId, userId, clientMessageId, text: String(seq) }
      const { message } = await instance.send(sending)
      atLeast(roomId, userId, message.seq)
      if (what === 0) assert.equal((await second.send(sending)).message.seq, message.seq)
    } else if (what < 9) {
      await instance.read({ roomId, userId, seq })
      atLeast(roomId, userId, seq)
    } else await deleteMessage(instance.db, { roomId, userId, seq })
  }
  const refused = new Map<string, number>()
  for (let round = 0; round < 30; round++)
    await Promise.all(
      Array.from({ length: 12 }, () =>
        act().catch((thrown: unknown) => {
          if (!(thrown instanceof Problem)) throw thrown
          refused.set(thrown.code, (refused.get(thrown.code) ?? 0) + 1)
        }),
      ),
    )
  const events = await appended(db)
  for (const roomId of rooms) {
    const { lastSeq, reads } = await readStateOf(db, roomId)
    const counted = await db.query<{ userId: string; unread: number }>(
      `select rm.user_id as "userId", (select count(*) from chat.message m where m.room_id = rm.room_id and m.seq > rm.last_read_seq) as unread
       from chat.room_member rm where rm.room_id = $1`,
      [roomId],
    )
    const told = new Map<string, number>()
    let newest = 0
    for (const { type, key, data } of events) {
      if (key !== roomId) continue
      if (type === 'chat.message-created') {
        assert.equal(data.message.seq, ++newest, `seed ${seed}: the seqs of ${roomId}`)
        const { sender } = data.message as unknown as { sender: { id: string } }
        told.set(sender.id, newest)
      } else if (type === 'chat.room-read') {
        assert.ok(data.lastReadSeq > (told.get(data.userId) ?? 0), `seed ${seed}: a step back`)
        told.set(data.userId, data.lastReadSeq)
      }
    }
    assert.equal(lastSeq, newest, `seed ${seed}: the last seq of ${roomId}`)
    for (const { userId, unread } of counted) {
      const read = reads.get(userId)!
      assert.equal(unread, lastSeq - read, `seed ${seed}: unread of ${userId} in ${roomId}`)
      assert.equal(told.get(userId) ?? 0, read, `seed ${seed}: what ${userId} was told in ${roomId}`)
      assert.ok(read >= (least.get(`${roomId} ${userId}`) ?? 0), `seed ${seed}: ${userId} went back in ${roomId}`)
    }
  }
  // It has tried what is refused, too.
  assert.deepEqual([...refused.keys()].toSorted(), ['forbidden', 'not_found', 'validation_failed'], `seed ${seed}`)
})
