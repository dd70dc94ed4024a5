import type { NotificationView } from '@pando/events/views'
import { type Database, type Queryable, retryOnConflict, type Streams, transaction, type Tx } from '@pando/saga'
import { tell } from './stream.ts'

/** How long a notification waits to be seen. */
const DAYS = 90
const PURGE_AT_ONCE = 1_000

export interface Notifications {
  /** Of a user, newest first, older than the notification `before`. */
  list(userId: string, before: string | undefined, limit: number): Promise<NotificationView[]>
  /** How many are unread, and the place in the user's stream which that is true at. */
  summary(userId: string): Promise<{ unread: number; cursor: string }>
  /** Marks one as read; false when there is none. */
  read(userId: string, id: string): Promise<boolean>
  /** Marks one, and all that are older, as read; false when there is none. */
  readUpTo(userId: string, id: string): Promise<boolean>
  /** Deletes one; false when there is none. */
  remove(userId: string, id: string): Promise<boolean>
  /** Deletes those that are older than 90 days, and tells whose unread ones were among them. */
  purge(): Promise<void>
}

const READ = `
  with found as (select from notification.notification where user_id = $1 and id = $2),
  changed as (update notification.notification set read_at = now() where user_id = $1 and id = $2 and read_at is null returning 1)
  select (select count(*) from found) as found, (select count(*) from changed) as changed`

const READ_UP_TO = `
  with found as (select from notification.notification where user_id = $1 and id = $2),
  changed as (update notification.notification set read_at = now()
    where user_id = $1 and id <= $2 and read_at is null and exists (select from found) returning 1)
  select (select count(*) from found) as found, (select count(*) from changed) as changed`

const REMOVE = `
  with gone as (delete from notification.notification where user_id = $1 and id = $2 returning 1)
  select count(*) as found, count(*) as changed from gone`

/** Every change of a user's notifications locks the user's stream first, so that the last count it tells is the true one. */
export function createNotifications({ db, streams }: { db: Database; streams: Streams }): Notifications {
  function change(statement: string, userId: string, id: string): Promise<boolean> {
    return retryOnConflict(() =>
      transaction(db, async (tx) => {
        streams.lock(tx, [userId])
        const [row] = await tx.query<{ found: number; changed: number }>(statement, [userId, id])
        if (row!.changed > 0) await tellUnread(tx, [userId])
        return row!.found > 0
      }),
    )
  }

  /** Tells these users, whose streams are locked, how many of their notifications they have not read. */
  async function tellUnread(tx: Tx, userIds: readonly string[]): Promise<void> {
    for (const [userId, unread] of await countUnread(tx, userIds))
      tell(streams, tx, [userId], 'notification.read', { unread })
  }

  async function purgeSome(tx: Tx): Promise<number> {
    const old = await tx.query<{ userId: string; id: string; isRead: boolean }>(
      `select user_id as "userId", id, read_at is not null as "isRead" from notification.notification
       where created_at < now() - make_interval(days => $1) limit $2`,
      [DAYS, PURGE_AT_ONCE],
    )
    if (old.length === 0) return 0
    const concerned = new Set(old.filter(({ isRead }) => !isRead).map(({ userId }) => userId))
    streams.lock(tx, [...concerned])
    await tx.query(
      `delete from notification.notification n using unnest($1::uuid[], $2::uuid[]) g(user_id, id)
       where n.user_id = g.user_id and n.id = g.id`,
      [old.map(({ userId }) => userId), old.map(({ id }) => id)],
    )
    await tellUnread(tx, [...concerned])
    return old.length
  }

  return {
    list: (userId, before, limit) => listOf(db, userId, before, limit),
    // One snapshot: an event of the stream is counted if and only if the cursor is behind it.
    summary: (userId) =>
      transaction(db, async (tx) => {
        tx.send('set transaction isolation level repeatable read read only', [])
        const cursor = await streams.cursorOf(tx, userId)
        return { unread: (await countUnread(tx, [userId])).get(userId)!, cursor }
      }),
    read: (userId, id) => change(READ, userId, id),
    readUpTo: (userId, id) => change(READ_UP_TO, userId, id),
    remove: (userId, id) => change(REMOVE, userId, id),
    async purge() {
      while ((await retryOnConflict(() => transaction(db, purgeSome))) === PURGE_AT_ONCE);
    },
  }
}

async function listOf(
  db: Queryable,
  userId: string,
  before: string | undefined,
  limit: number,
): Promise<NotificationView[]> {
  const rows = await db.query<{
    id: string
    type: NotificationView['type']
    data: string
    url: string
    createdAt: Date
    readAt: Date | null
  }>(
    `select id, type, data, url, created_at as "createdAt", read_at as "readAt" from notification.notification
     where user_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
    [userId, before ?? null, limit],
  )
  return rows.map((row) => ({
    ...row,
    data: JSON.parse(row.data) as NotificationView['data'],
    createdAt: row.createdAt.toISOString(),
    readAt: row.readAt?.toISOString() ?? null,
  }))
}

async function countUnread(db: Queryable, userIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await db.query<{ userId: string; unread: number }>(
    `select u.id as "userId", (select count(*) from notification.notification n where n.user_id = u.id and n.read_at is null) as unread
     from unnest($1::uuid[]) u(id)`,
    [userIds],
  )
  return new Map(rows.map(({ userId, unread }) => [userId, unread]))
}
