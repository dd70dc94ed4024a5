import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import { createChannel } from './channel.ts'
import type { Database } from './database.ts'
import { ensureDays, today } from './days.ts'
import { SagaError } from './errors.ts'
import { createBell, createHourly, createLoop } from './loop.ts'
import { migrate } from './migrate.ts'
import { partitionOf } from './partition.ts'
import { createReader } from './reader.ts'
import { createRecent, type Recent } from './recent.ts'
import { transaction } from './transaction.ts'
import type { LogReader, PlacedRecord, TopicState, Transport, Want } from './transport.ts'

// The log in a PostgreSQL database. A publish is one statement: it moves the head rows of the partitions, whose locks make commit
// order = offset order, and inserts the records. Readers ask for records only where a head is ahead of them. Heads are known from
// one's own publishes, from other processes' notifications, and from one look at all heads every half second, which makes up for
// anything lost.

const HEADS_MS = 1_000
const RETENTION_DAYS = 7

interface Partition {
  id: number
  topic: string
  partition: number
  head: number
  first: number
  recent: Recent
}

type PartitionRow = Pick<Partition, 'id' | 'topic' | 'partition' | 'first'> & { next: number }

const ADD_TOPICS = `
  insert into log.partition (topic, partition)
  select t, p from unnest($1::text[]) t, generate_series(0, $2::int - 1) p
  where not exists (select from log.partition known where known.topic = t)
  order by t, p on conflict do nothing`

// Offsets are dense: the row number among this statement's records of the partition, from where its head stood. The heads are locked
// in the order of their ids, so that two publishes of the same partitions cannot deadlock.
const PUBLISH = `
  with input as (
    select * from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], ${jsonArray(5)}) with ordinality as i(partition_id, id, key, type, body, n)),
  locked as (
    select p.id, c.count from (select partition_id, count(*) as count from input group by 1) c
    join log.partition p on p.id = c.partition_id order by p.id for update of p),
  moved as (
    update log.partition p set next = p.next + l.count
    from locked l
    where p.id = l.id
    returning p.id, p.next - l.count as first, floor(extract(epoch from clock_timestamp()) / 86400)::int as day),
  written as (
    insert into log.record (partition_id, "offset", day, id, key, type, body)
    select i.partition_id, m.first + row_number() over (partition by i.partition_id order by i.n) - 1, m.day, i.id, i.key, i.type, i.body
    from input i join moved m on m.id = i.partition_id)
  select id, first from moved`

const READ = `
  select r.partition_id, r."offset", r.id, r.key, r.type, r.body
  from unnest($1::int[], $2::bigint[]) with ordinality as w(partition_id, next, n)
  cross join lateral (
    select * from log.record r
    where r.partition_id = w.partition_id and r."offset" >= w.next and r."offset" < w.next + $3
    order by r."offset" limit $3) r
  order by w.n, r."offset"`

/**
 * A log in the database `db`, which it migrates. `alone`: no other process uses this log, so nobody needs to be notified.
 * Rejects when the database cannot be reached; once it is there, the log waits for a database that goes, and `onError` is told.
 */
export async function createPostgresTransport(options: {
  db: Database
  alone?: boolean
  onError?: (error: Error) => void
}): Promise<Transport> {
  const { db, alone = false, onError = () => {} } = options
  await migrate(db, { schema: 'log', directory: new URL('../sql/log/', import.meta.url) })
  await maintain(db)
  const [identity] = await db.query<{ value: string }>('select value from log.identity')
  const logId = identity!.value

  const byName = new Map<string, Partition>()
  const byId = new Map<number, Partition>()
  const counts = new Map<string, number>()
  const readers = new Set<LogReader & { news(): void }>()
  const listeners = new Set<(text: string) => void>()

  function raise(partition: Partition, head: number): boolean {
    if (head <= partition.head) return false
    partition.head = head
    return true
  }
  const tellReaders = (): void => {
    for (const reader of readers) reader.news()
  }

  // --- hearing of other processes -------------------------------------------------------------------------------------------------
  const channel = createChannel({ db, name: 'saga_log', onTexts: hear, onError })
  if (!alone) await channel.open()
  const send = (text: string): void => {
    if (!alone) channel.send(text)
  }

  const headsBell = createBell()
  const lookAtHeads = createLoop({
    bell: headsBell,
    onError,
    async turn() {
      await refreshHeads()
      if (!alone) await channel.open()
      await headsBell.wait(HEADS_MS)
    },
    end: channel.close,
  })
  lookAtHeads.start()

  async function refreshHeads(): Promise<void> {
    if (counts.size === 0) return
    const rows = await partitionsOf(db, [...counts.keys()])
    let raised = false
    for (const row of rows) {
      const partition = byId.get(row.id)
      if (!partition) continue
      partition.first = row.first
      raised = raise(partition, row.next) || raised
    }
    if (raised) tellReaders()
  }

  // "h<partition id>:<head>" or "t<hint as JSON>".
  function hear(texts: readonly string[]): void {
    let raised = false
    for (const text of texts) {
      if (text.startsWith('t')) {
        for (const listener of listeners) listener(JSON.parse(text.slice(1)))
      } else {
        const [id, head] = text.slice(1).split(':')
        const partition = byId.get(Number(id))
        if (partition) raised = raise(partition, Number(head)) || raised
      }
    }
    if (raised) tellReaders()
  }

  // --- retention ------------------------------------------------------------------------------------------------------------------
  const maintenance = createHourly({ task: () => maintain(db), onError })
  maintenance.start()

  return {
    async ensureTopics(topics, partitions) {
      const states = new Map<string, TopicState>()
      let rows = await partitionsOf(db, topics)
      if (rows.length < topics.length * partitions) {
        await transaction(db, async (tx) => {
          // One process at a time: two that ask for different numbers must not both find that they were right.
          tx.send(`select pg_advisory_xact_lock(hashtext('saga.topics'))`, [])
          tx.send(ADD_TOPICS, [topics, partitions])
        })
        rows = await partitionsOf(db, topics)
      }
      for (const [topic, found] of Map.groupBy(rows, (row) => row.topic)) {
        if (found.length !== partitions)
          throw new SagaError(
            'SAGA_PARTITIONS_CHANGED',
            `topic "${topic}" has ${found.length} partitions, not ${partitions}; the number is fixed once a topic exists`,
          )
        states.set(topic, { logId, first: found.map((row) => row.first) })
        counts.set(topic, partitions)
        for (const row of found) {
          if (byId.has(row.id)) continue
          const partition = { ...row, head: row.next, recent: createRecent() }
          byId.set(row.id, partition)
          byName.set(`${topic}/${row.partition}`, partition)
        }
      }
      return states
    },

    async publish(records) {
      if (records.length === 0) return
      const placed = records.map((record) => {
        const partitions = counts.get(record.topic)
        if (partitions === undefined) throw new SagaError('SAGA_DEFINITION', `topic "${record.topic}" was not ensured`)
        return byName.get(`${record.topic}/${partitionOf(record.key, partitions)}`)!
      })
      const moved = await db.query<{ id: number; first: number }>(PUBLISH, [
        plainArray(placed.map((partition) => partition.id)),
        plainArray(records.map((record) => record.id)),
        records.map((record) => record.key),
        records.map((record) => record.type),
        jsonTexts(records.map((record) => record.body)),
      ])
      const next = new Map(moved.map((row) => [row.id, row.first]))
      for (const [i, { id, topic, key, type, body }] of records.entries()) {
        const partition = placed[i]!
        const offset = next.get(partition.id)!
        next.set(partition.id, offset + 1)
        partition.recent.add({ id, topic, key, type, body, partition: partition.partition, offset })
      }
      for (const [id, head] of next) {
        raise(byId.get(id)!, head)
        send(`h${id}:${head}`)
      }
      tellReaders()
    },

    reader: createLogReader,
    hint: (text) => send(`t${JSON.stringify(text)}`),
    onHint(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    async locate({ topic, partition, id, time }) {
      const known = byName.get(`${topic}/${partition}`)
      const day = today(time)
      const [row] = await db.query<{ offset: number }>(
        'select "offset" from log.record where partition_id = $1 and day between $2 and $3 and id = $4 order by "offset" limit 1',
        [known?.id ?? -1, day - 1, day + 1, id],
      )
      return row?.offset
    },
    async ends(topics) {
      const rows = Map.groupBy(await partitionsOf(db, topics), (row) => row.topic)
      return new Map([...rows].map(([topic, found]) => [topic, found.map((row) => row.next)]))
    },
    async ping() {
      await db.query('select from log.identity')
    },
    async close() {
      await Promise.all([...[...readers].map((reader) => reader.close()), lookAtHeads.stop(), maintenance.stop()])
    },
  }

  function createLogReader(): LogReader {
    let turn = 0
    const reader = createReader(read, () => readers.delete(reader))
    readers.add(reader)
    return reader

    async function read(wants: readonly Want[], max: number): Promise<PlacedRecord[]> {
      const ahead: Place[] = []
      for (const want of wants) {
        const partition = byName.get(`${want.topic}/${want.partition}`)
        if (!partition) throw new SagaError('SAGA_DEFINITION', `topic "${want.topic}" was not ensured`)
        if (want.next < partition.first) throw outOfLog(want, `the log begins at ${partition.first}`)
        // Only what the database itself says may call a position wrong: our own head can be behind.
        if (want.next > partition.head) await refreshHeads()
        if (want.next > partition.head) throw outOfLog(want, `the log ends at ${partition.head}`)
        if (want.next < partition.head) ahead.push({ want, partition })
      }
      if (ahead.length === 0) return []
      // Another partition is first each time, so that one with a backlog does not keep the others waiting.
      turn = (turn + 1) % ahead.length
      const turned = [...ahead.slice(turn), ...ahead.slice(0, turn)]
      const share = Math.max(16, Math.ceil(max / turned.length))
      const found: PlacedRecord[] = []
      const asked: Place[] = []
      for (const place of turned) {
        const kept = place.partition.recent.from(place.want.next, share)
        if (kept.length > 0) found.push(...kept)
        else asked.push(place)
      }
      if (asked.length > 0) found.push(...(await readStored(asked, share)))
      return found
    }
  }

  /** At most `share` records of each place. */
  async function readStored(places: readonly Place[], share: number): Promise<PlacedRecord[]> {
    const rows = await db.query<Omit<PlacedRecord, 'topic' | 'partition'> & { partition_id: number }>(READ, [
      plainArray(places.map(({ partition }) => partition.id)),
      plainArray(places.map(({ want }) => want.next)),
      share,
    ])
    const expected = new Map(places.map(({ want, partition }) => [partition.id, want.next]))
    return rows.map(({ partition_id, offset, id, key, type, body }) => {
      const { topic, partition } = byId.get(partition_id)!
      const next = expected.get(partition_id)!
      // The head says that the record exists; if it is not here it was dropped meanwhile.
      if (offset !== next) throw outOfLog({ topic, partition, next }, 'the record is gone')
      expected.set(partition_id, next + 1)
      return { id, topic, key, type, body, partition, offset }
    })
  }
}

const partitionsOf = (db: Database, topics: readonly string[]): Promise<PartitionRow[]> =>
  db.query<PartitionRow>(
    'select id, topic, partition, next, first from log.partition where topic = any($1::text[]) order by topic, partition',
    [topics],
  )

/** Makes the days ahead and drops what is older than the log keeps; readers that still want it must be told, not served a gap. */
const maintain = (db: Database): Promise<void> =>
  ensureDays(
    db,
    'log.record',
    RETENTION_DAYS,
    (day) => `
      update log.partition p set first = dropped.last + 1
      from (select id, (select max("offset") from log.record_${day} r where r.partition_id = known.id) as last
            from log.partition known) dropped
      where dropped.id = p.id and dropped.last >= p.first`,
  )

interface Place {
  want: Want
  partition: Partition
}

const outOfLog = (want: Want, why: string): SagaError =>
  new SagaError(
    'SAGA_OFFSET_OUT_OF_LOG',
    `${want.topic}/${want.partition} cannot be read from offset ${want.next}: ${why}`,
    {
      partition: want.partition,
    },
  )
