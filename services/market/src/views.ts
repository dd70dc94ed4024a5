import { createHmac } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { type Database, retryOnConflict } from '@pando/saga'
import { createBatcher } from '@pando/service'

/** Who looks: a user, or whoever is at this address. */
export interface Viewer {
  userId?: string | undefined
  address: string
}

export interface Views {
  /** Counts one view for each viewer and day (UTC), none of the seller's own; nothing for a post that there is not. */
  count(postId: string, viewer: Viewer): Promise<void>
}

const DAY_MS = 86_400_000

/**
 * Counts views. Readers that come at the same time are counted by one statement, and whoever was counted today before waits for no row.
 * `secret` keys the hashes that viewers are known by.
 */
export function createViews({ db, secret }: { db: Database; secret: () => string }): Views {
  const hashOf = ({ userId, address }: Viewer): Buffer =>
    createHmac('sha256', secret())
      .update(userId === undefined ? `address ${networkOf(address)}` : `user ${userId}`)
      .digest()
      .subarray(0, 16)

  const count = createBatcher<{ postId: string; userId: string | undefined; viewer: Buffer }, void>(async (seen) => {
    await retryOnConflict(() =>
      db.query(COUNT, [
        seen.map(({ postId }) => postId),
        seen.map(({ userId }) => userId ?? null),
        seen.map(({ viewer }) => viewer),
        Math.floor(Date.now() / DAY_MS),
      ]),
    )
    return []
  })
  return { count: (postId, viewer) => count({ postId, userId: viewer.userId, viewer: hashOf(viewer) }) }
}

// Rows in one order everywhere, first those of views, then the counters: whoever waits holds nothing that the other one wants.
const COUNT = `
  with fresh as (
    insert into market.post_view (day, post_id, viewer)
    select $4::int, s.post_id, s.viewer from unnest($1::uuid[], $2::uuid[], $3::bytea[]) s(post_id, user_id, viewer)
    join market.post p on p.id = s.post_id and p.seller_id is distinct from s.user_id
    order by s.post_id, s.viewer
    on conflict do nothing returning post_id
  ),
  counted as (select post_id, count(*)::int as views from fresh group by post_id),
  locked as (
    select c.post_id from counted join market.post_counter c on c.post_id = counted.post_id order by c.post_id for update of c
  )
  update market.post_counter c set views = c.views + counted.views
  from locked join counted on counted.post_id = locked.post_id where c.post_id = locked.post_id`

/** An IPv4 address, or the network of /64 that an IPv6 address is one of: a household has a whole one. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::')
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : [])
  const first = groups(head)
  const zeros = tail === undefined ? 0 : 8 - first.length - groups(tail).length
  const all = [...first, ...Array.from({ length: zeros }, () => '0'), ...groups(tail)]
  return all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
