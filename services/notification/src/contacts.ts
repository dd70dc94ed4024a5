import type { PresenceView } from '@pando/events/views'
import type { Queryable } from '@pando/saga'

// Who may know whether somebody is there: friends, and whoever shares a room.

/** A subquery: the contacts of the user whose id the expression is, perhaps with that user. */
const contactsOf = (user: string): string => `
  select f.friend_id as id from notification.friend f where f.user_id = ${user}
  union
  select b.user_id from notification.room_member a join notification.room_member b on b.room_id = a.room_id where a.user_id = ${user}`

/** What was changed that shortly ago may be news to somebody who has just come. */
const NEWS_S = 10

const TO_CONTACTS = `
  select o.user_id as "userId", o.online, o.seen_at as "lastSeenAt", array_agg(c.id) as audience
  from notification.online o
  cross join lateral (${contactsOf('o.user_id')}) c
  join notification.online listener on listener.user_id = c.id and listener.online
  where o.user_id = any($1::uuid[]) and c.id <> o.user_id
  group by o.user_id`

const TO_NEWCOMERS = `
  select o.user_id as "userId", o.online, o.seen_at as "lastSeenAt", array_agg(listener.user_id) as audience
  from notification.online listener
  cross join lateral (${contactsOf('listener.user_id')}) c
  join notification.online o on o.user_id = c.id and o.changed_at > now() - interval '${NEWS_S} seconds'
  where listener.user_id = any($1::uuid[]) and listener.online and c.id <> listener.user_id
  group by o.user_id`

const PRESENCE = `
  select u.id as "userId", coalesce(o.online, false) as online, o.seen_at as "lastSeenAt"
  from unnest($2::uuid[]) with ordinality u(id, n)
  left join notification.online o on o.user_id = u.id
  where u.id = $1
    or exists (select from notification.friend f where f.user_id = $1 and f.friend_id = u.id)
    or exists (select from notification.room_member a join notification.room_member b on b.room_id = a.room_id
               where a.user_id = $1 and b.user_id = u.id)
  order by u.n`

interface Row {
  userId: string
  online: boolean
  lastSeenAt: Date | null
}
const viewOf = ({ userId, online, lastSeenAt }: Row): PresenceView => ({
  userId,
  online,
  lastSeenAt: lastSeenAt?.toISOString() ?? null,
})

/**
 * What has to be told when these users have come or gone, and to whom of those who are online: each user's presence as it is now, to the
 * contacts; and to whoever has just come what has changed of their contacts while they were on their way.
 */
export async function presenceNews(
  db: Queryable,
  userIds: readonly string[],
): Promise<{ view: PresenceView; audience: string[] }[]> {
  const rows = [
    ...(await db.query<Row & { audience: string[] }>(TO_CONTACTS, [userIds])),
    ...(await db.query<Row & { audience: string[] }>(TO_NEWCOMERS, [userIds])),
  ]
  return rows.map((row) => ({ view: viewOf(row), audience: row.audience }))
}

/** The presence of those of these users that the viewer may know of, in the order asked for. */
export async function presenceOf(db: Queryable, viewerId: string, userIds: readonly string[]): Promise<PresenceView[]> {
  return (await db.query<Row & Record<string, unknown>>(PRESENCE, [viewerId, userIds])).map(viewOf)
}

/** Those of these users who are online. */
export async function onlineAmong(db: Queryable, userIds: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ userId: string }>(
    'select user_id as "userId" from notification.online where user_id = any($1::uuid[]) and online',
    [userIds],
  )
  return rows.map(({ userId }) => userId)
}
