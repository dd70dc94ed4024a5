import type { Queryable, Tx } from '@pando/saga'
import { patiently, timeOf } from '@pando/service'
import { shareMembers } from './members.ts'

/** An image that may be sent, once, by its owner. */
export interface Unsent {
  id: string
  ownerId: string
  /** ISO 8601. */
  storedAt: string
}

/** The news of an image that is younger than this may still be on its way. */
const NEWS_MS = 10_000
const PATIENCE_MS = 2_000
/** The market gives them up after 24 hours: what is sent before has an hour to be heard of there. */
const GOOD_FOR = '23 hours'

/** Notes images that may be sent; not those of somebody who is no member any more, of whom nothing comes after they are erased. */
export async function saveImages(tx: Tx, images: readonly Unsent[]): Promise<void> {
  const members = await shareMembers(
    tx,
    images.map(({ ownerId }) => ownerId),
  )
  const some = images.filter(({ ownerId }) => members.has(ownerId))
  tx.send(
    'insert into chat.image (id, owner_id, stored_at) select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])',
    [some.map(({ id }) => id), some.map(({ ownerId }) => ownerId), some.map(({ storedAt }) => storedAt)],
  )
}

/**
 * Whose these images are, by id, locked until the end of the transaction: nobody else sends them meanwhile. Lock them after rooms. One
 * that has been sent, or that there is not, is missing. Asks nothing when there are none.
 */
export async function lockImages(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.query<{ id: string; ownerId: string }>(
    `select id, owner_id as "ownerId" from chat.image
     where id = any($1::uuid[]) and stored_at > now() - interval '${GOOD_FOR}' order by id for update`,
    [ids],
  )
  return new Map(rows.map(({ id, ownerId }) => [id, ownerId]))
}

/** Notes that these are sent, within this transaction, which has locked them. */
export function takeImages(tx: Tx, ids: readonly string[]): void {
  if (ids.length > 0) tx.send('delete from chat.image where id = any($1::uuid[])', [ids])
}

/** Whether there is such an image to be sent by somebody; of one that is new there is a moment's patience, without a connection. */
export async function isThere(db: Queryable, id: string): Promise<boolean> {
  const isNew = Math.abs(Date.now() - timeOf(id).getTime()) < NEWS_MS
  const found = await patiently(
    isNew ? PATIENCE_MS : 0,
    () => db.query('select from chat.image where id = $1', [id]),
    (rows) => rows.length > 0,
  )
  return found.length > 0
}

/** Forgets the images of somebody who is gone. */
export function forgetImages(tx: Tx, userId: string): void {
  // In the order in which others lock them.
  tx.send('delete from chat.image where id in (select id from chat.image where owner_id = $1 order by id for update)', [
    userId,
  ])
}

/** Forgets images that nobody has sent in time; one that is being sent is left to its sender. */
export async function purgeImages(db: Queryable): Promise<void> {
  await db.query(
    `delete from chat.image where id in (
       select id from chat.image where stored_at <= now() - interval '${GOOD_FOR}' for update skip locked)`,
  )
}
