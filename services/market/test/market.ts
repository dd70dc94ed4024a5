// A market without a server: its database, members and posts.
import { randomUUID } from 'node:crypto'
import { type Database, ensureDays, transaction } from '@pando/saga'
import type { Scope } from '../../../test/support/postgres.ts'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { saveMembers } from '../src/members.ts'
import type { PostView } from '../src/post.ts'
import { createPost, type Draft } from '../src/posts.ts'

/** A database of the test's own, as the market leaves it. */
export const openMarket = (scope: Scope): Promise<Database & { readonly url: string }> =>
  serviceDatabase(scope, 'market', (db) => ensureDays(db, 'market.post_view', 2))

/** Makes so many users known; their ids. */
export async function join(db: Database, count = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID())
  await transaction(db, async (tx) =>
    saveMembers(
      tx,
      { gone: [], made: ids.map((userId) => ({ userId, madeBy: randomUUID() })), held: [], buried: [] },
      new Map(ids.map((userId) => [userId, { username: `u.${userId.slice(0, 8)}`, displayName: 'Nayun' }])),
    ),
  )
  return ids
}

/** A user puts something up for sale. */
export function offer(db: Database, userId: string, draft: Partial<Draft> = {}): Promise<PostView> {
  const whole = { title: 'Monstera', content: 'A plant.', price: 1_000, category: null, imageIds: [], ...draft }
  return transaction(db, (tx) => createPost(tx, whole, { userId }))
}

/** The events of a type in the outbox, in order. */
export async function toldOf<Data>(db: Database, type: string): Promise<Data[]> {
  const rows = await db.query<{ body: string }>('select body from saga.outbox where type = $1 order by seq', [type])
  return rows.map(({ body }) => (JSON.parse(body) as { data: Data }).data)
}
