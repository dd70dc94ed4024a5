import type { Queryable, Tx } from '@pando/saga'
import { Problem } from '@pando/service'

/** What one user may have stored, and upload on one day (UTC). */
export const QUOTA = { bytes: 200 << 20, uploads: 100 } as const

/** Before an upload is received: throws rate_limited or conflict when it could not be kept. What is true then may be over at its end. */
export async function assertQuota(db: Queryable, ownerId: string): Promise<void> {
  const [used] = await db.query<{ uploads: number; bytes: number }>(
    `select coalesce((select uploads from market.image_upload
                      where owner_id = $1 and day = (now() at time zone 'utc')::date), 0) as uploads,
            coalesce((select sum(bytes) from market.image where owner_id = $1), 0)::bigint as bytes`,
    [ownerId],
  )
  if (used!.uploads >= QUOTA.uploads) throw tooMany()
  if (used!.bytes >= QUOTA.bytes) throw full()
}

/** Counts an upload that is about to be read, whatever comes of it: reading is what costs. Throws rate_limited above the quota. */
export async function countUpload(db: Queryable, ownerId: string): Promise<void> {
  const counted = await db.query(
    `insert into market.image_upload as u (owner_id, day, uploads) values ($1, (now() at time zone 'utc')::date, 1)
     on conflict (owner_id) do update
     set day = excluded.day, uploads = case when u.day = excluded.day then u.uploads + 1 else 1 end
     where u.day <> excluded.day or u.uploads < $2
     returning uploads`,
    [ownerId, QUOTA.uploads],
  )
  if (counted.length === 0) throw tooMany()
}

/** Takes back what `countUpload` counted, for an upload that failed by no fault of the user's. */
export async function uncountUpload(db: Queryable, ownerId: string): Promise<void> {
  await db.query(
    `update market.image_upload set uploads = uploads - 1
     where owner_id = $1 and day = (now() at time zone 'utc')::date and uploads > 0`,
    [ownerId],
  )
}

/** Holds the user's other uploads back until the transaction ends. Throws conflict when `bytes` more are more than the quota. */
export async function claimBytes(tx: Tx, ownerId: string, bytes: number): Promise<void> {
  await tx.query('select from market.image_upload where owner_id = $1 for update', [ownerId])
  const [used] = await tx.query<{ bytes: number }>(
    'select coalesce(sum(bytes), 0)::bigint as bytes from market.image where owner_id = $1',
    [ownerId],
  )
  if (used!.bytes + bytes > QUOTA.bytes) throw full()
}

function tooMany(): Problem {
  const now = Date.now()
  const midnight = Math.ceil((now + 1) / 86_400_000) * 86_400_000
  return new Problem('rate_limited', {
    detail: `${QUOTA.uploads} images a day (UTC) may be uploaded.`,
    headers: { 'retry-after': String(Math.ceil((midnight - now) / 1000)) },
  })
}

const full = (): Problem =>
  new Problem('conflict', {
    detail: `Your images would take more than ${QUOTA.bytes >> 20} MiB; delete posts or messages with images, or remove images from posts.`,
  })
