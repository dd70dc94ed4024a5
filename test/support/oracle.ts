// What must be true when everything has ended, whatever was killed on the way: nothing lost, nothing half made.
import { type Database, type Queryable } from '@pando/saga'
import { LOG_DATABASE, SERVICES } from '../../system.ts'
import { openEmbedded } from './embedded.ts'
import type { Guest } from './load.ts'
import { until } from './until.ts'

const NAMES = [...(Object.keys(SERVICES) as (keyof typeof SERVICES)[]), LOG_DATABASE] as const
type Databases = Record<(typeof NAMES)[number], Database>

export interface Verdict {
  /** Sentences; none when all is well. */
  faults: string[]
  counts: Record<string, number>
}

/** Waits until the embedded databases of `dataDir` are at rest and looks for what may not be, also against what the guests were told. */
export async function judge(dataDir: string, guests: readonly Guest[], patienceMs = 60_000): Promise<Verdict> {
  const databases = Object.fromEntries(NAMES.map((name) => [name, openEmbedded(dataDir, `pando_${name}`)])) as Databases
  const faults: string[] = []
  try {
    await until('rest', async () => (await unrest(databases)).length === 0, patienceMs).catch(async () =>
      faults.push(...(await unrest(databases)).map((what) => `no rest after ${patienceMs} ms: ${what}`)),
    )
    for (const name of NAMES.filter((one) => one !== LOG_DATABASE))
      faults.push(...(await parked(databases[name])).map((what) => `${name}: ${what}`))
    faults.push(
      ...(await badVersions(databases.user)),
      ...(await holesInLog(databases.log)),
      ...(await unsent(databases)),
    )
    const { faults: halves, counts } = await halfMade(databases, guests)
    return { faults: [...faults, ...halves], counts }
  } finally {
    for (const db of Object.values(databases)) await db.close()
  }
}

/** What is still under way: sagas, events that wait to be sent or read. */
async function unrest({ log, ...services }: Databases): Promise<string[]> {
  const found: string[] = []
  const heads = await log.query<{ topic: string; partition: number; next: number }>(
    'select topic, partition, next from log.partition',
  )
  for (const [name, db] of Object.entries(services)) {
    for (const { id, status } of await db.query<{ id: string; status: string }>(
      'select id, status from saga.saga where ended_at is null',
    ))
      found.push(`saga ${id} is ${status}`)
    for (const { type, key } of await db.query<{ type: string; key: string }>('select type, key from saga.outbox'))
      found.push(`${type} of ${key} waits in the outbox of ${name}`)
    for (const { topic, partition, next } of await db.query<(typeof heads)[number]>(
      'select topic, partition, next from saga.position',
    )) {
      const head = heads.find((one) => one.topic === topic && one.partition === partition)?.next ?? 0
      if (next !== head) found.push(`${name} has read ${topic}-${partition} to ${next}, not ${head}`)
    }
  }
  return found
}

async function parked(db: Queryable): Promise<string[]> {
  const keys = await db.query<{ key: string; error: string }>('select key, error from saga.parked_key')
  return keys.map(({ key, error }) => `${key} is parked: ${error}`)
}

/** Sagas whose versions are not 1, 2, 3 … up to the one that they say. */
async function badVersions(db: Queryable): Promise<string[]> {
  const sagas = await db.query<{ id: string; version: number; count: number; max: number }>(
    `select s.id, s.version, count(e.*) as count, max(e.version) as max
     from saga.saga s left join saga.saga_event e on e.saga_id = s.id
     group by s.id having count(e.*) <> s.version or max(e.version) is distinct from s.version`,
  )
  const strays = await db.query<{ id: string }>(
    'select saga_id as id from saga.saga_event e where not exists (select from saga.saga s where s.id = e.saga_id)',
  )
  return [
    ...sagas.map(
      ({ id, version, count, max }) => `saga ${id} of version ${version} has ${count} versions up to ${max}`,
    ),
    ...strays.map(({ id }) => `versions of ${id}, which is no saga`),
  ]
}

async function holesInLog(log: Queryable): Promise<string[]> {
  const holes = await log.query<{ topic: string; partition: number; next: number; count: number }>(
    `select p.topic, p.partition, p.next, count(r.*) as count from log.partition p left join log.record r on r.partition_id = p.id
     group by p.id, p.topic, p.partition, p.next having count(r.*) <> p.next or max(r."offset") <> p.next - 1`,
  )
  return holes.map(({ topic, partition, next, count }) => `${topic}-${partition} has ${count} records before ${next}`)
}

/** Events that a saga says it published, and that never came to the log. */
async function unsent({ user, log }: Databases): Promise<string[]> {
  const rows = await user.query<{ emitted: string }>('select emitted from saga.saga_event where emitted is not null')
  const events = rows.flatMap(({ emitted }) => JSON.parse(emitted) as { id: string; type: string }[])
  const known = new Set((await log.query<{ id: string }>('select id from log.record')).map(({ id }) => id))
  return events.filter(({ id }) => !known.has(id)).map(({ id, type }) => `${type} ${id} is not in the log`)
}

interface SagaRow {
  id: string
  type: string
  status: string
  owner: string
}

/** Accounts, members and wallets are exactly those of completed sign-ups; deletion takes both away; and the guests were told the truth. */
async function halfMade({ user, chat, customer }: Databases, guests: readonly Guest[]): Promise<Verdict> {
  const accounts = await user.query<{ id: string; username: string; status: string }>(
    'select id, username, status from users.account',
  )
  const members = await chat.query<{ id: string; held: string | null }>(
    'select user_id as id, held_by as held from chat.member',
  )
  const wallets = await customer.query<{ id: string; held: string | null }>(
    'select user_id as id, held_by as held from customer.wallet',
  )
  const sagas = await user.query<SagaRow>('select id, type, status, owner_id as owner from saga.saga')
  const some = (type: string, status: string): SagaRow[] =>
    sagas.filter((saga) => saga.type === type && saga.status === status)
  const expected = new Set(some('sign-up', 'completed').map(({ owner }) => owner))
  const ids = new Map(accounts.map(({ username, id }) => [username, id]))
  const faults = [
    ...accounts.filter(({ status }) => status !== 'active').map(({ id, status }) => `account ${id} is ${status}`),
    ...[...members, ...wallets].filter(({ held }) => held !== null).map(({ id }) => `what ${id} has is held`),
    ...differences('account', expected, accounts),
    ...differences('member', expected, members),
    ...differences('wallet', expected, wallets),
    ...some('account-deletion', 'completed')
      .filter(({ owner }) => expected.has(owner))
      .map(({ owner }) => `${owner} is deleted and there`),
    ...guests.flatMap((guest) => untruths(guest, new Map(sagas.map((saga) => [saga.id, saga])), ids)),
    ...[...ids.keys()]
      .filter((username) => !guests.some(({ who }) => who.username === username))
      .map((username) => `${username} is nobody's`),
  ]
  const told = new Set(guests.map(({ sagaId }) => sagaId))
  const counts = {
    completed: expected.size,
    failed: some('sign-up', 'failed').length,
    deleted: some('account-deletion', 'completed').length,
    'done, but the answer was lost': some('sign-up', 'completed').filter(({ id }) => !told.has(id)).length,
    'not done, and the answer was lost': guests.filter(({ sagaId, who }) => !sagaId && !ids.has(who.username)).length,
  }
  return { faults, counts }
}

function differences(what: string, expected: ReadonlySet<string>, rows: readonly { id: string }[]): string[] {
  const found = new Set(rows.map(({ id }) => id))
  return [
    ...[...expected.difference(found)].map((id) => `${id} is completed and has no ${what}`),
    ...[...found.difference(expected)].map((id) => `${id} has a ${what}, and no completed sign-up`),
  ]
}

function untruths(guest: Guest, sagas: ReadonlyMap<string, SagaRow>, ids: ReadonlyMap<string, string>): string[] {
  const {
    who: { username },
    sagaId,
    userId,
    leaving,
  } = guest
  if (sagaId === undefined) return []
  const deletion = leaving?.sagaId === undefined ? undefined : sagas.get(leaving.sagaId)
  if (leaving?.sagaId !== undefined && !deletion) return [`the deletion ${leaving.sagaId} of ${username} is lost`]
  const saga = sagas.get(sagaId)
  // What is known of the sign-up goes with the account. Whose deletion was never answered may be there or not.
  if (!saga)
    return leaving && deletion?.status !== 'failed'
      ? []
      : [`${username} was accepted, and its sign-up ${sagaId} is lost`]
  if (userId !== undefined && saga.owner !== userId) return [`${username} was told the id ${userId}, not ${saga.owner}`]
  const isThere = ids.get(username) === saga.owner
  if (isThere !== (saga.status === 'completed'))
    return [`${username} is ${saga.status} and ${isThere ? '' : 'not '}there`]
  return []
}
