import type { Queryable } from './database.ts'
import type { Move } from './inbox.ts'

// What the next holder of a lane knows of the one before: its row in saga.lane. Written when a lane changes hands, and around what is
// tried with care; nothing is written for events otherwise.

/** The numbers of advisory locks in a service's database: a member of those that share the lanes, and a lane. */
export const MEMBER = 2
export const LANE = 3

/** A lane whose holder ended without giving it back. */
export interface Suspect {
  /** How many holders ended so; what they tried when they did, `[from, to)` by topic, is known if it was tried with care. */
  kills: number
  tried: Record<string, readonly [from: number, to: number]> | null
  /** Up to where, by topic, the lane is run with care; undefined until that is worked out. */
  until?: ReadonlyMap<string, number> | undefined
}

// One that lives has lost its connection, but was not ended by what it tried.
const HOLD = `
  with found as (
    select l.lane, l.tried, case when m.objid is null then greatest(1, l.kills + l.trying::int) else l.kills end as kills
    from saga.lane l
    left join pg_locks m on m.locktype = 'advisory' and m.classid = ${MEMBER} and m.objid = l.holder and m.objsubid = 2 and m.granted
      and m.database = (select oid from pg_database where datname = current_database())
    where l.lane = any($2::int[]) and l.holder <> $1),
  held as (
    insert into saga.lane (lane, holder, kills)
    select n.lane, $1, coalesce(f.kills, 0) from unnest($2::int[]) n(lane) left join found f on f.lane = n.lane
    on conflict (lane) do update set holder = excluded.holder, kills = excluded.kills, trying = false
      where lane.holder <> excluded.holder)
  select lane, kills, tried from found where kills > 0`

/** Writes down that `holder` holds these lanes; resolves with those of them that others left without a word. */
export async function hold(
  db: Queryable,
  holder: number,
  lanes: readonly number[],
): Promise<(Suspect & { lane: number })[]> {
  return db.query(HOLD, [holder, lanes])
}

/** Takes back what `hold` wrote: these lanes are given back in good order. */
export async function letGo(db: Queryable, holder: number, lanes: readonly number[]): Promise<void> {
  await db.query('delete from saga.lane where holder = $1 and lane = any($2::int[])', [holder, lanes])
}

/** Writes down, before records are tried, what ends the process if it ends: `moves` past them, and how many it has ended before. */
export async function beginTrial(db: Queryable, holder: number, moves: readonly Move[], kills: number): Promise<void> {
  const lanes = [...Map.groupBy(moves, (move) => move.partition)]
  await db.query(
    `insert into saga.lane (lane, holder, kills, tried, trying)
     select lane, $1, $2, tried, true from unnest($3::int[], $4::jsonb[]) t(lane, tried)
     on conflict (lane) do update set holder = excluded.holder, kills = excluded.kills, tried = excluded.tried, trying = true`,
    [
      holder,
      kills,
      lanes.map(([lane]) => lane),
      lanes.map(([, ranges]) => JSON.stringify(Object.fromEntries(ranges.map((m) => [m.topic, [m.old, m.next]])))),
    ],
  )
}

/** What was tried failed, but the process lives. (Nothing need be said of what succeeded: the position has moved past it.) */
export async function endTrial(db: Queryable, holder: number, moves: readonly Move[]): Promise<void> {
  await db.query('update saga.lane set trying = false where holder = $1 and lane = any($2::int[])', [
    holder,
    moves.map((move) => move.partition),
  ])
}
