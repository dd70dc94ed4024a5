import { randomUUIDv7 } from 'node:crypto'
import type { NotificationView } from '@pando/events/views'
import type { Tx } from '@pando/saga'
import { tell, type UserStreams } from './stream.ts'

/** A notification that is about to be made. */
export type NewNotification = Pick<NotificationView, 'type' | 'data' | 'url'> & { userId: string }

/** Stores notifications and tells their users. */
export function notify(streams: UserStreams, tx: Tx, notifications: readonly NewNotification[]): void {
  if (notifications.length === 0) return
  const createdAt = new Date().toISOString()
  const made = notifications.map((one) => ({ ...one, id: randomUUIDv7(), createdAt, readAt: null }))
  tx.send(
    `insert into notification.notification (user_id, id, type, data, url, created_at)
     select user_id, id, type, data, url, $6 from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) n(user_id, id, type, data, url)`,
    [
      made.map(({ userId }) => userId),
      made.map(({ id }) => id),
      made.map(({ type }) => type),
      made.map(({ data }) => JSON.stringify(data)),
      made.map(({ url }) => url),
      createdAt,
    ],
  )
  for (const { userId, ...view } of made) tell(streams, tx, [userId], 'notification.created', view)
}
