// What must be true when everything has ended, whatever was killed on the way: nothing lost, nothing half made.
import { createPostgresTransport, type Database, type Queryable, type Transport } from '@pando/saga'
import { createKafkaTransport } from '@pando/saga/kafka'
import { LOG_DATABASE, PARTITIONS, SERVICES } from '../../system.ts'
import { openEmbedded } from './embedded.ts'
import type { Guest } from './load.ts'
import { operator } from './operator.ts'
import { until } from './until.ts'

const NAMES = Object.keys(SERVICES) as (keyof typeof SERVICES)[]
type Databases = Record<(typeof NAMES)[number], Database>

export interface Verdict {
  /** Sentences; none when all is well. */
  faults: string[]
  counts: Record<string, number>
}

/**
 * Waits until the embedded databases of `dataDir` are at rest and looks for what may not be, also against what the guests were told.
 * The log is in there too, or in the Kafka at `brokers`. Where processes are killed at random, three deaths may meet the same event,
 * which is parked although it is sound; `redrive` helps it on, as an operator would (ADR 0014).
 */
export async function judge(
  dataDir: string,
  guests: readonly Guest[],
  {
    patienceMs = 60_000,
    brokers,
    redrive,
  }: {
    patienceMs?: number
    brokers?: string | undefined
    redrive?: (service: string, key: string) => Promise<void>
  } = {},
): Promise<Verdict> {
  const databases = Object.fromEntries(NAMES.map((name) => [name, openEmbedded(dataDir, `pando_${name}`)])) as Databases
  const logDb = openEmbedded(dataDir, `pando_${LOG_DATABASE}`)
  const log =
    brokers === undefined
      ? await createPostgresTransport({ db: logDb })
      : await createKafkaTransport({ connection: { brokers: brokers.split(',') }, prefix: 'pando' })
  const faults: string[] = []
  let redriven = 0
  const atRest = async (): Promise<boolean> => {
    const blamed = redrive ? await blamedKeys(databases) : []
    for (const { service, key } of blamed) await redrive!(service, key)
    redriven += blamed.length
    return blamed.length === 0 && (await unrest(databases, log)).length === 0
  }
  try {
    await log.ensureTopics(NAMES, PARTITIONS)
    await until('rest', atRest, patienceMs).catch(async () =>
      faults.push(...(await unrest(databases, log)).map((what) => `no rest after ${patienceMs} ms: ${what}`)),
    )
    for (const name of NAMES) faults.push(...(await parked(databases[name])).map((what) => `${name}: ${what}`))
    const { ids, holes } = await readLog(log)
    faults.push(...holes)
    for (const db of [databases.user, databases.market])
      faults.push(...(await badVersions(db)), ...(await unsent(db, ids)))
    const { faults: halves, counts } = await halfMade(databases, guests)
    return { faults: [...faults, ...halves], counts: { ...counts, 'events in the log': ids.size, redriven } }
  } finally {
    await log.close()
    for (const db of [logDb, ...Object.values(databases)]) await db.close()
  }
}

/** What is parked because processes ended while it was handled. */
async function blamedKeys(services: Databases): Promise<{ service: string; key: string }[]> {
  const found: { service: string; key: string }[] = []
  for (const [service, db] of Object.entries(services))
    for (const { key } of await db.query<{ key: string }>(
      `select key from saga.parked_key where error like '%ended the process%'`,
    ))
      found.push({ service, key })
  return found
}

/** What is still under way: sagas, events that wait to be sent or read. */
async function unrest(services: Databases, log: Transport): Promise<string[]> {
  const chores = await services.chat.query<{ kind: string; about: string }>('select kind, about from chat.chore')
  const found = chores.map(({ kind, about }) => `the chat has to ${kind} ${about}`)
  const heads = await log.ends(NAMES)
  for (const [name, db] of Object.entries(services)) {
    for (const { id, status } of await db.query<{ id: string; status: string }>(
      'select id, status from saga.saga where ended_at is null',
    ))
      found.push(`saga ${id} is ${status}`)
    for (const { type, key } of await db.query<{ type: string; key: string }>('select type, key from saga.outbox'))
      found.push(`${type} of ${key} waits in the outbox of ${name}`)
    for (const { topic, partition, next } of await db.query<{ topic: string; partition: number; next: number }>(
      'select topic, partition, next from saga.position',
    )) {
      const head = heads.get(topic)?.[partition] ?? 0
      if (next !== head) found.push(`${name} has read ${topic}-${partition} to ${next}, not ${head}`)
    }
  }
  return found
}

/** The ids of all events in the log, and where it has fewer records than its offsets say. */
async function readLog(log: Transport): Promise<{ ids: Set<string>; holes: string[] }> {
  const ids = new Set<string>()
  const holes: string[] = []
  const reader = log.reader()
  for (const [topic, ends] of await log.ends(NAMES))
    for (const [partition, end] of ends.entries())
      for (let next = 0; next < end;) {
        const found = await reader.poll([{ topic, partition, next }], 1_000, 0)
        if (found.length === 0) {
          holes.push(`${topic}-${partition} ends at ${next}, not ${end}`)
          break
        }
        for (const { id, offset } of found) {
          if (offset !== next) holes.push(`${topic}-${partition} has no record ${next}`)
          next = offset + 1
          ids.add(id)
        }
      }
  await reader.close()
  return { ids, holes }
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

/** Events that a saga says it published, and that never came to the log. */
async function unsent(db: Queryable, known: ReadonlySet<string>): Promise<string[]> {
  const rows = await db.query<{ emitted: string }>('select emitted from saga.saga_event where emitted is not null')
  const events = rows.flatMap(({ emitted }) => JSON.parse(emitted) as { id: string; type: string }[])
  return events.filter(({ id }) => !known.has(id)).map(({ id, type }) => `${type} ${id} is not in the log`)
}

interface SagaRow {
  id: string
  type: string
  status: string
  owner: string
  version: number
}

/** Accounts, members, also those that the market knows, and wallets are exactly those of completed sign-ups; deletion takes both away; and the guests were told the truth. */
async function halfMade({ user, chat, customer, market }: Databases, guests: readonly Guest[]): Promise<Verdict> {
  const accounts = await user.query<{ id: string; username: string; status: string }>(
    'select id, username, status from users.account',
  )
  const members = await chat.query<{ id: string; held: string | null }>(
    'select user_id as id, held_by as held from chat.member',
  )
  const wallets = await customer.query<{ id: string; held: string | null }>(
    'select user_id as id, held_by as held from customer.wallet',
  )
  const known = await market.query<{ id: string }>('select user_id as id from market.member')
  const sagas = await user.query<SagaRow>('select id, type, status, owner_id as owner, version from saga.saga')
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
    ...differences('member of the market', expected, known),
    ...some('account-deletion', 'completed')
      .filter(({ owner }) => expected.has(owner))
      .map(({ owner }) => `${owner} is deleted and there`),
    ...guests.flatMap((guest) => untruths(guest, new Map(sagas.map((saga) => [saga.id, saga])), ids)),
    ...[...ids.keys()]
      .filter((username) => username !== operator.username && !guests.some(({ who }) => who.username === username))
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
    versions,
    followed,
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
  if (followed && versions.length !== saga.version)
    return [`${username} was shown ${versions.length} versions of ${sagaId}, which has ${saga.version}`]
  if (userId !== undefined && saga.owner !== userId) return [`${username} was told the id ${userId}, not ${saga.owner}`]
  const isThere = ids.get(username) === saga.owner
  if (isThere !== (saga.status === 'completed'))
    return [`${username} is ${saga.status} and ${isThere ? '' : 'not '}there`]
  return []
}
