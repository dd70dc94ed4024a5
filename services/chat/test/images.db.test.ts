// Messages that show an image: each image is good for one of them.
import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { test } from 'node:test'
import { createDatabase, type Database, type Received, transaction } from '@pando/saga'
import { Problem } from '@pando/service'
import { addMembers, addRoom } from '../../../test/support/rooms.ts'
import { tablesWith } from '../../../test/support/scan.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { until } from '../../../test/support/until.ts'
import { purgeImages } from '../src/images.ts'
import { deleteMessage, listMessages } from '../src/messages.ts'
import { images } from '../src/reactions.ts'
import { openGroup } from '../src/rooms.ts'
import { createSending, type Sending } from '../src/sending.ts'
import { appended } from './outbox.ts'
import { deletionOf, doAll, hear, people, type Somebody } from './world.ts'

/** The market has told of these. */
const heard = (db: Database, ...stored: { imageId: string; ownerId: string }[]): Promise<void> =>
  transaction(db, (tx) =>
    images.react(
      stored.map((data) => ({ type: 'market.image-stored', data, time: new Date().toISOString() }) as Received),
      tx,
    ),
  )
/** An image of an hour ago, which nobody waits for. */
const oldId = (): string => {
  const hex = (Date.now() - 3_600_000).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}${randomUUID().slice(13)}`
}
async function store(db: Database, ownerId: string): Promise<string> {
  const imageId = oldId()
  await heard(db, { imageId, ownerId })
  return imageId
}
const sending = (roomId: string, userId: string, imageId: string, clientMessageId: string = randomUUID()): Sending => ({
  roomId,
  userId,
  clientMessageId,
  imageId,
})
const refused = (thrown: unknown) =>
  thrown instanceof Problem && thrown.code === 'validation_failed' && thrown.errors?.[0]?.path === '/imageId'
const outcomes = (results: PromiseSettledResult<{ message: { seq: number } }>[]): (number | string)[] =>
  results.map((result) =>
    result.status === 'fulfilled' ? result.value.message.seq : refused(result.reason) ? 'refused' : 'failed',
  )
const unsent = async (db: Database): Promise<string[]> =>
  (await db.query<{ id: string }>('select id from chat.image order by id')).map(({ id }) => id)
const toldOf = async (db: Database, type: string): Promise<unknown[]> =>
  (await appended(db)).filter((event) => event.type === type).map(({ data }) => data)

test('an image is sent once, by its owner; others are told of it, and then of the message', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const [roomId, another] = [await addRoom(db, [anna, ben]), await addRoom(db, [anna, ben])]
  const send = createSending(db)
  const imageId = await store(db, anna)
  for (const id of [randomUUID(), oldId()]) await assert.rejects(send(sending(roomId, anna, id)), refused)
  await assert.rejects(send(sending(roomId, ben, imageId)), refused)
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const { message, isNew } = await send({ ...sending(roomId, anna, imageId), traceparent })
  assert.deepEqual([isNew, message.kind, message.text, message.imageId], [true, 'image', null, imageId])
  assert.deepEqual(
    (await appended(db)).map(({ type, key, data, ...rest }) => [type, key, data, rest.traceparent]),
    [
      ['chat.image-shared', roomId, { roomId, imageId, userId: anna }, traceparent],
      ['chat.message-created', roomId, { message }, traceparent],
    ],
  )
  for (const [room, user] of [
    [roomId, anna],
    [another, anna],
    [roomId, ben],
  ] as const)
    await assert.rejects(send(sending(room, user, imageId)), refused)
  assert.deepEqual(await listMessages(db, { roomId, userId: ben }, { after: 0, limit: 10 }), [message])
})

test('the same message again is the same, anything else under its id a conflict; its tombstone shows no image', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  const send = createSending(db)
  const [first, second] = [await store(db, anna), await store(db, anna)]
  const one = sending(roomId, anna, first)
  const { clientMessageId } = one
  const others: Sending[] = [
    sending(roomId, anna, second, clientMessageId),
    { roomId, userId: anna, clientMessageId, text: 'hello' },
  ]
  const conflict = { code: 'conflict' }
  const together = [one, one, ...others].map(send)
  const [{ message }, again] = (await Promise.all(together.slice(0, 2))) as [{ message: object }, object]
  assert.deepEqual(again, { message, isNew: false })
  for (const attempt of together.slice(2)) await assert.rejects(attempt, conflict)
  assert.deepEqual(await send(one), { message, isNew: false })
  for (const other of others) await assert.rejects(send(other), conflict)
  assert.deepEqual(await unsent(db), [second], 'the other image is still good')
  const said = await send({ roomId, userId: anna, clientMessageId: randomUUID(), text: 'hello' })
  const saidId = said.message.clientMessageId!
  await assert.rejects(send(sending(roomId, anna, second, saidId)), conflict)

  await deleteMessage(db, { roomId, userId: anna, seq: 1 })
  await deleteMessage(db, { roomId, userId: anna, seq: 1 })
  const { message: tombstone, isNew } = await send(one)
  assert.ok(tombstone.deletedAt)
  assert.deepEqual([isNew, tombstone.kind, tombstone.imageId], [false, 'image', undefined])
  assert.deepEqual(await toldOf(db, 'chat.image-withdrawn'), [{ roomId, imageId: first }])
  await assert.rejects(send(sending(roomId, anna, first)), refused)
})

test('of many who send one image at once, in a room each by two instances, one does; other messages are not held up', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const other = createDatabase({ connectionString: db.url })
  t.after(() => other.close())
  const [anna, ben] = (await addMembers(db, 2)) as [string, string]
  const rooms = [await addRoom(db, [anna, ben]), await addRoom(db, [anna, ben])] as const
  const instances = [createSending(db), createSending(other)] as const
  for (let round = 1; round <= 10; round++) {
    const [contested, own] = [await store(db, anna), await store(db, ben)]
    const attempts = Array.from({ length: 12 }, (_, i) => instances[i % 2]!(sending(rooms[i % 2]!, anna, contested)))
    const [sent, text, ...results] = outcomes(
      await Promise.allSettled([
        instances[0](sending(rooms[0], ben, own)),
        instances[1]({ roomId: rooms[1], userId: ben, clientMessageId: randomUUID(), text: 'x' }),
        ...attempts,
      ]),
    )
    assert.ok([sent, text].every((seq) => typeof seq === 'number'))
    assert.equal(results.filter((result) => typeof result === 'number').length, 1)
    assert.equal(results.filter((result) => result === 'refused').length, 11)
  }
  assert.deepEqual(await unsent(db), [])
  assert.equal((await toldOf(db, 'chat.image-shared')).length, 20)
})

test('an image of a moment ago is waited for, with no connection; one that should be known is not', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  let questions = 0
  let out = 0
  const watched: Database = {
    ...db,
    query(text, values) {
      questions++
      return db.query(text, values)
    },
    async lease() {
      const leased = await db.lease()
      out++
      return {
        ...leased,
        release(destroy) {
          out--
          leased.release(destroy)
        },
      }
    },
  }
  const send = createSending(watched)
  const imageId = randomUUIDv7()
  const sent = send(sending(roomId, anna, imageId))
  await until('it is asked for again', () => questions > 2)
  assert.equal(out, 0)
  await heard(db, { imageId, ownerId: anna })
  assert.equal((await sent).message.imageId, imageId)
  questions = 0
  await assert.rejects(send(sending(roomId, anna, oldId())), refused)
  assert.equal(questions, 1)
})

test('messages without an image ask nothing about images', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  const texts: string[] = []
  const watched: Database = {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        query(text, values) {
          texts.push(text)
          return leased.query(text, values)
        },
      }
    },
  }
  const send = createSending(watched)
  await send({ roomId, userId: anna, clientMessageId: randomUUID(), text: 'x' })
  const about = (): number => texts.filter((text) => text.includes('chat.image')).length
  assert.deepEqual([about(), texts.length > 5], [0, true])
  await send(sending(roomId, anna, await store(db, anna)))
  assert.equal(about(), 2)
})

test('an image can be sent for 23 hours, then it is forgotten', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [anna] = (await addMembers(db, 1)) as [string]
  const roomId = await addRoom(db, [anna])
  const send = createSending(db)
  const age = (id: string, interval: string) =>
    db.query('update chat.image set stored_at = now() - $2::interval where id = $1', [id, interval])
  const [young, old] = [await store(db, anna), await store(db, anna)]
  await age(young, '22 hours 59 minutes')
  await age(old, '23 hours')
  await assert.rejects(send(sending(roomId, anna, old)), refused)
  await purgeImages(db)
  assert.deepEqual(await unsent(db), [young])
  await send(sending(roomId, anna, young))
})

test('with an account go its images: unsent ones are forgotten, sent ones withdrawn, and what is heard later is nothing', async (t) => {
  const db = await serviceDatabase(t, 'chat')
  const [leaver, { userId: other }] = (await people(db, 2, { friends: true })) as [Somebody, Somebody]
  const { id: roomId } = await openGroup(db, leaver, { name: 'Group', userIds: [other] })
  const send = createSending(db)
  const [sent, gone, unused, theirs] = [
    await store(db, leaver.userId),
    await store(db, leaver.userId),
    await store(db, leaver.userId),
    await store(db, other),
  ]
  for (const id of [sent, gone]) await send(sending(roomId, leaver.userId, id))
  await send(sending(roomId, other, theirs))
  const kept = await store(db, other)
  await deleteMessage(db, { roomId, userId: leaver.userId, seq: 2 })
  await hear(db, [await deletionOf(db, leaver)])
  assert.deepEqual(await unsent(db), [unused, kept].toSorted())
  await doAll(db)
  await heard(db, { imageId: oldId(), ownerId: leaver.userId })
  assert.deepEqual(await unsent(db), [kept])
  assert.deepEqual(await toldOf(db, 'chat.image-withdrawn'), [
    { roomId, imageId: gone },
    { roomId, imageId: sent },
  ])
  const shown = await listMessages(db, { roomId, userId: other }, { after: 0, limit: 10 })
  assert.deepEqual(
    shown.map(({ imageId }) => imageId),
    [undefined, undefined, theirs],
  )
  assert.deepEqual(
    (await tablesWith(db, [leaver.userId])).filter((table) => table.startsWith('chat.')),
    [],
  )
})
