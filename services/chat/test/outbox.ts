import type { Database } from '@pando/saga'

/** An event as it waits in the outbox. */
export interface Appended {
  type: string
  key: string
  traceparent?: string
  data: { message: { seq: number; text: string | null }; userId: string; lastReadSeq: number }
}

/** What is appended, in its order. */
export async function appended(db: Database): Promise<Appended[]> {
  const rows = await db.query<{ body: string }>('select body from saga.outbox order by seq')
  return rows.map(({ body }) => JSON.parse(body) as Appended)
}
