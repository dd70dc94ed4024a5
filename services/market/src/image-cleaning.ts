import type { Database } from '@pando/saga'
import { keysOf } from './image.ts'
import type { ImageStore } from './image-store.ts'

const AT_ONCE = 20

/**
 * Removes the images that nobody needs: those that were given up, those that no post or message has taken in a day, and what failed
 * uploads have left. First the files, then the row: after a crash between them the next round goes on. An image of the last hour is never
 * touched, because its files may still be on their way to the store.
 */
export async function removeUnused(db: Database, store: ImageStore): Promise<void> {
  // Given up before anything is removed, so that no post can take one whose files go.
  await db.query(
    `update market.image set state = 'released' where id in (
       select id from market.image
       where scope is null and (state = 'stored' and created_at < now() - interval '24 hours'
         or state = 'storing' and created_at < now() - interval '1 hour')
       order by id for update skip locked)`,
  )
  for (;;) {
    const rows = await db.query<{ id: string }>(
      `select id from market.image
       where scope is null and state = 'released' and created_at < now() - interval '1 hour' limit $1`,
      [AT_ONCE],
    )
    if (rows.length === 0) return
    const ids = rows.map(({ id }) => id)
    await Promise.all(ids.flatMap(keysOf).map((key) => store.remove(key)))
    await db.query('delete from market.image where id = any($1::uuid[])', [ids])
  }
}
