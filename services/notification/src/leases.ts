import { closedAmong, type Database, retryOnConflict, transaction, type Tx } from '@pando/saga'

// The rows of presence. A user's row in notification.online is locked before any row of theirs in notification.presence is opened or
// deleted, in the order of ids; so nobody goes in one transaction who comes in another.

const GRACE_S = 10
const SWEEP_AT_ONCE = 1_000

/**
 * Renews the lease of a process and writes which of `users` have an open stream in it now: those that are `here`. A process that has lost
 * its lease gets another, for all who are here. Resolves with those who are online by that and were not before.
 */
export function writeLease(
  db: Database,
  instanceId: string,
  { users, here }: { users: readonly string[]; here: ReadonlySet<string> },
): Promise<string[]> {
  return retryOnConflict(() =>
    transaction(db, async (tx) => {
      const renewed = await tx.query(
        'update notification.instance set seen_at = now() where id = $1 returning 1 as ok',
        [instanceId],
      )
      if (renewed.length === 0)
        tx.send('insert into notification.instance (id, seen_at) values ($1, now())', [instanceId])
      const all = renewed.length === 0 ? [...new Set([...users, ...here])] : users
      const open = all.filter((userId) => here.has(userId)).toSorted()
      const closed = all.filter((userId) => !here.has(userId))
      if (closed.length > 0)
        tx.send(
          `update notification.presence set closed_at = now()
           where user_id = any($1::uuid[]) and instance_id = $2 and closed_at is null`,
          [closed, instanceId],
        )
      if (open.length === 0) return []
      const come = await tx.query<{ userId: string }>(
        `insert into notification.online as o (user_id, online, seen_at, changed_at)
         select id, true, now(), now() from unnest($1::uuid[]) with ordinality u(id, n) order by n
         on conflict (user_id) do update
           set online = true, seen_at = excluded.seen_at, changed_at = excluded.changed_at where not o.online
         returning user_id as "userId"`,
        [open],
      )
      // An account may have gone since its stream was opened; nothing of it is to stay.
      const gone = come.length === 0 ? new Set<string>() : await closedAmong(tx, idsOf(come))
      if (gone.size > 0) tx.send('delete from notification.online where user_id = any($1::uuid[])', [[...gone]])
      tx.send(
        `insert into notification.presence as p (user_id, instance_id) select id, $2 from unnest($1::uuid[]) u(id)
         on conflict (user_id, instance_id) do update set closed_at = null where p.closed_at is not null`,
        [open.filter((userId) => !gone.has(userId)), instanceId],
      )
      return idsOf(come).filter((userId) => !gone.has(userId))
    }),
  )
}

/** Ends a lease in good order: its users have so long to come back elsewhere. */
export async function endLease(db: Database, instanceId: string): Promise<void> {
  await transaction(db, async (tx) => {
    // The row first, as always: whoever takes it for dead at this moment waits.
    tx.send('delete from notification.instance where id = $1', [instanceId])
    tx.send('update notification.presence set closed_at = now() where instance_id = $1 and closed_at is null', [
      instanceId,
    ])
  })
}

/** Ends the leases that were not renewed for `deadMs`: their users were last seen then. */
export async function declareDead(db: Database, deadMs: number): Promise<void> {
  await db.query(
    `with dead as (delete from notification.instance where seen_at < now() - make_interval(secs => $1) returning id, seen_at)
     update notification.presence p set closed_at = d.seen_at from dead d where p.instance_id = d.id and p.closed_at is null`,
    [deadMs / 1_000],
  )
}

/**
 * Deletes, for some users, what was closed and is past its grace; others may do the same for others meanwhile. `gone`: who has nothing
 * open any more by that; `more`: there may be more to do.
 */
export async function sweepSome(tx: Tx): Promise<{ gone: string[]; more: boolean }> {
  const some = await tx.query<{ userId: string }>(
    `select user_id as "userId" from notification.online where user_id in (
       select user_id from notification.presence where closed_at < now() - make_interval(secs => ${GRACE_S}) limit ${SWEEP_AT_ONCE})
     order by user_id for update skip locked`,
    [],
  )
  if (some.length === 0) return { gone: [], more: false }
  const userIds = idsOf(some)
  const gone = await tx.query<{ userId: string }>(
    `update notification.online o set online = false, changed_at = now(), seen_at = last.seen_at
     from (select user_id, max(closed_at) as seen_at from notification.presence where user_id = any($1::uuid[]) group by user_id
           having bool_and(closed_at is not null and closed_at < now() - make_interval(secs => ${GRACE_S}))) last
     where o.user_id = last.user_id and o.online returning o.user_id as "userId"`,
    [userIds],
  )
  tx.send(
    `delete from notification.presence where user_id = any($1::uuid[]) and closed_at < now() - make_interval(secs => ${GRACE_S})`,
    [userIds],
  )
  return { gone: idsOf(gone), more: some.length === SWEEP_AT_ONCE }
}

const idsOf = (rows: readonly { userId: string }[]): string[] => rows.map(({ userId }) => userId)
