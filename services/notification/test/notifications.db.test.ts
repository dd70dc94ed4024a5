import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { createHub, createMemoryTransport, createStreams, type Streams, transaction } from '@pando/saga'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { createNotifications } from '../src/notifications.ts'
import { notify } from '../src/notify.ts'

async function open(t: TestContext, instead: (streams: Streams) => Partial<Streams> = () => ({})) {
  const db = await serviceDatabase(t, 'notification')
  const streams = createStreams({ db, hub: createHub(), transport: createMemoryTransport() })
  await streams.start()
  t.after(() => streams.stop())
  return {
    db,
    notifications: createNotifications({ db, streams: { ...streams, source: streams.source, ...instead(streams) } }),
    /** Notifies each of these users once. */
    tell: (...userIds: string[]) =>
      transaction(db, async (tx) =>
        notify(
          streams,
          tx,
          userIds.map((userId) => ({ userId, type: 'friend_added', data: {}, url: '/friends' })),
        ),
      ),
    told: async (userId: string) =>
      (await streams.source.page(userId, 0, 100)).map(({ type, data }) => ({
        type,
        data: JSON.parse(data) as unknown,
      })),
  }
}

test('a count belongs to its cursor, also when another notification comes between the two questions', async (t) => {
  const userId = randomUUID()
  const { notifications, tell, told } = await open(t, (streams) => ({
    async cursorOf(...args) {
      const cursor = await streams.cursorOf(...args)
      await tell(userId)
      return cursor
    },
  }))
  await tell(userId)
  const { unread, cursor } = await notifications.summary(userId)
  assert.deepEqual([unread, Number(cursor.split('-')[1])], [1, 1])
  assert.equal((await told(userId)).length, 2)
})

test('what is older than 90 days goes, and whose unread ones go is told how many are left', async (t) => {
  const { db, notifications, tell, told } = await open(t)
  const [unread, read, fresh] = [randomUUID(), randomUUID(), randomUUID()]
  await tell(unread, unread, read, fresh)
  const [seen] = await notifications.list(read, undefined, 1)
  await notifications.read(read, seen!.id)
  await db.query(
    `update notification.notification set created_at = now() - interval '91 days' where user_id = any($1)`,
    [[unread, read]],
  )
  await tell(unread)
  // More than are deleted at once.
  const crowd = Array.from({ length: 1_500 }, () => randomUUID())
  await tell(...crowd)
  await db.query(
    `update notification.notification set created_at = now() - interval '91 days' where user_id = any($1)`,
    [crowd],
  )
  await notifications.purge()
  const left = await db.query<{ userId: string }>('select user_id as "userId" from notification.notification')
  assert.deepEqual(left.map(({ userId }) => userId).toSorted(), [unread, fresh].toSorted())
  assert.deepEqual((await told(unread)).at(-1), { type: 'notification.read', data: { unread: 1 } })
  assert.deepEqual(
    (await told(read)).map(({ type }) => type),
    ['notification.created', 'notification.read'],
    'nothing has changed for whoever had read it',
  )
  assert.deepEqual(
    (await told(fresh)).map(({ type }) => type),
    ['notification.created'],
  )
})
