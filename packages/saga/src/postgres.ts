import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import type { Connection, Database } from './database.ts'
import { asError, SagaError } from './errors.ts'
import { createBell, createLoop } from './loop.ts'
import { ensureDays, today } from './days.ts'
import { migrate } from './migrate.ts'
import { partitionOf } from './partition.ts'
import type { LogReader, LogRecord, PlacedRecord, TopicState, Transport, Want } from './transport.ts'

// The log in a PostgreSQL database. A publish is one statement: it moves the head rows of the partitions, whose locks make commit
// order = offset order, and inserts the records. Readers ask for records only where a head is ahead of them. Heads are known from
// one's own publishes, from other processes' notifications (on a connection of their own: NOTIFY in a business transaction costs more
// than half of the throughput), and from one look at all heads every half second, which makes up for anything lost.

const CHANNEL = 'saga_log'
const HEADS_MS = 500
const RETENTION_DAYS = 7
const MAINTENANCE_MS = 3_600_000
/** Records of this process's own publishes, kept so that its readers need no query for them. */
const RECENT_RECORDS = 2_000

interface Partition {
  id: number
  topic: string
  partition: number
  head: number
  first: number
  recent: PlacedRecord[]
}

// Offsets are dense: the row number among this statement's records of the partition, from where its head stood.
const PUBLISH = `
  with input as (
    select * from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], ${jsonArray(5)}) with ordinality as i(partition_id, id, key, type, body, n)),
  moved as (
    update log.partition p set next = p.next + c.count
    from (select partition_id, count(*) as count from input group by 1) c
    where p.id = c.partition_id
    returning p.id, p.next - c.count as first, floor(extract(epoch from clock_timestamp()) / 86400)::int as day),
  written as (
    insert into log.record (partition_id, "offset", day, id, key, type, body)
    select i.partition_id, m.first + row_number() over (partition by i.partition_id order by i.n) - 1, m.day, i.id, i.key, i.type, i.body
    from input i join moved m on m.id = i.partition_id)
  select id, first from moved`

const READ = `
  select r.partition_id, r."offset", r.id, r.key, r.type, r.body, r.day
  from unnest($1::int[], $2::bigint[]) with ordinality as w(partition_id, next, n)
  cross join lateral (
    select * from log.record r
    where r.partition_id = w.partition_id and r."offset" >= w.next and r."offset" < w.next + $3
    order by r."offset" limit $3) r
  order by w.n, r."offset"`

/**
 * A log in the database `db`, which it migrates. `alone`: no other process uses this log, so nobody needs to be notified.
 * Throws at the first use when the database cannot be reached.
 */
export async function createPostgresTransport(options: {
  db: Database
  alone?: boolean
  onError?: (error: Error) => void
}): Promise<Transport> {
  const { db, alone = false, onError = () => {} } = options
  await migrate(db, { schema: 'log', directory: new URL('../sql/log/', import.meta.url) })
  await ensureDays(db, 'log.record', RETENTION_DAYS)
  const [identity] = await db.query<{ value: string }>('select value from log.identity')
  const logId = identity!.value

  const byName = new Map<string, Partition>()
  const byId = new Map<number, Partition>()
  const counts = new Map<string, number>()
  const readers = new Set<() => void>()
  const listeners = new Set<(text: string) => void>()
  const me = crypto.randomUUID().slice(0, 8)

  function raise(partition: Partition, head: number): boolean {
    if (head <= partition.head) return false
    partition.head = head
    return true
  }
  const wakeReaders = (): void => {
    for (const wake of readers) wake()
  }

  // --- hearing of other processes -------------------------------------------------------------------------------------------------
  const backstop = createBell()
  let connection: Connection | undefined
  let outgoing: string[] = []
  let sending = false

  const lookAtHeads = createLoop({
    bell: backstop,
    onError,
    async turn() {
      try {
        await listen()
        await refreshHeads()
        await backstop.wait(HEADS_MS)
      } catch (thrown) {
        const broken = connection
        connection = undefined
        await broken?.close()
        throw thrown
      }
    },
    end: async () => connection?.close(),
  })

  async function listen(): Promise<void> {
    if (alone || connection) return
    const fresh = await db.connect(hear)
    await fresh.query(`listen ${CHANNEL}`)
    connection = fresh
    void fresh.lost.then(() => {
      if (connection === fresh) connection = undefined
    })
  }

  async function refreshHeads(): Promise<void> {
    const rows = await db.query<{ id: number; topic: string; partition: number; next: number; first: number }>(
      'select id, topic, partition, next, first from log.partition where topic = any($1::text[])',
      [[...counts.keys()]],
    )
    let raised = false
    for (const row of rows) {
      const partition = byId.get(row.id)
      if (!partition) continue
      partition.first = row.first
      raised = raise(partition, row.next) || raised
    }
    if (raised) wakeReaders()
  }

  // A notification is a list of texts from one process: "h<partition id>:<head>" or "t<hint>".
  function hear(payload: string): void {
    const [sender, ...texts] = payload.split('\n')
    if (sender === me) return
    let raised = false
    for (const text of texts) {
      if (text.startsWith('t')) for (const listener of listeners) listener(JSON.parse(text.slice(1)))
      const [id, head] = text.slice(1).split(':')
      const partition = text.startsWith('h') ? byId.get(Number(id)) : undefined
      if (partition) raised = raise(partition, Number(head)) || raised
    }
    if (raised) wakeReaders()
  }

  /** Batched: what comes while one notification is under way travels with the next. */
  async function notify(text: string): Promise<void> {
    if (alone) return
    if (outgoing.length < 10_000) outgoing.push(text)
    if (sending) return
    sending = true
    try {
      while (outgoing.length > 0 && connection) {
        const batch = takeUpTo(7_000)
        await connection.query('select pg_notify($1, $2)', [CHANNEL, [me, ...batch].join('\n')])
      }
    } catch (thrown) {
      onError(asError(thrown))
    } finally {
      outgoing = []
      sending = false
    }
  }

  function takeUpTo(bytes: number): string[] {
    let size = 0
    let count = 0
    while (count < outgoing.length && (count === 0 || size + Buffer.byteLength(outgoing[count]!) + 1 <= bytes))
      size += Buffer.byteLength(outgoing[count++]!) + 1
    return outgoing.splice(0, count)
  }

  // --- retention ------------------------------------------------------------------------------------------------------------------
  const maintenanceBell = createBell()
  const maintenance = createLoop({
    bell: maintenanceBell,
    onError,
    async turn() {
      await ensureDays(db, 'log.record', RETENTION_DAYS)
      // What was dropped is out of the log: readers that still want it must be told, not served a gap.
      await db.query(`
        update log.partition p set first = greatest(first, coalesce(
          (select min("offset") from log.record r where r.partition_id = p.id), p.next))`)
      await maintenanceBell.wait(MAINTENANCE_MS)
    },
  })

  return {
    async ensureTopics(topics, partitions) {
      const states = new Map<string, TopicState>()
      if (topics.length === 0) return states
      await db.query(
        `insert into log.partition (topic, partition)
         select t, p from unnest($1::text[]) t, generate_series(0, $2::int - 1) p
         where not exists (select from log.partition known where known.topic = t)
         order by t, p on conflict do nothing`,
        [topics, partitions],
      )
      const rows = await db.query<Omit<Partition, 'head' | 'recent'> & { next: number }>(
        'select id, topic, partition, next, first from log.partition where topic = any($1::text[]) order by topic, partition',
        [topics],
      )
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
          const partition: Partition = { id: row.id, topic, partition: row.partition, head: row.next, first: row.first, recent: [] }
          byId.set(row.id, partition)
          byName.set(`${topic}/${row.partition}`, partition)
        }
      }
      lookAtHeads.start()
      maintenance.start()
      return states
    },

    async publish(records) {
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
      records.forEach((record, i) => remember(placed[i]!, record, next))
      wakeReaders()
      for (const [id, head] of next) void notify(`h${id}:${head}`)
    },

    reader: () => createReader(),
    hint: (text) => void notify(`t${JSON.stringify(text)}`),
    onHint(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    async locate({ topic, partition, id, time }) {
      const known = byName.get(`${topic}/${partition}`)
      const day = today(time)
      const [row] = await db.query<{ offset: number }>(
        'select "offset" from log.record where partition_id = $1 and day between $2 and $3 and id = $4 order by "offset" limit 1',
        [known?.id ?? -1, day, day + 1, id],
      )
      return row?.offset
    },
    async ends(topics) {
      const rows = await db.query<{ topic: string; next: number }>(
        'select topic, next from log.partition where topic = any($1::text[]) order by topic, partition',
        [topics],
      )
      return new Map([...Map.groupBy(rows, (row) => row.topic)].map(([topic, found]) => [topic, found.map((row) => row.next)]))
    },
    async ping() {
      await db.query('select from log.identity')
    },
    async close() {
      await Promise.all([lookAtHeads.stop(), maintenance.stop()])
      wakeReaders()
    },
  }

  /** Keeps a record of this process's own for its readers, as long as what is kept has no gap. */
  function remember(partition: Partition, record: LogRecord, next: Map<number, number>): void {
    const offset = next.get(partition.id)!
    next.set(partition.id, offset + 1)
    raise(partition, offset + 1)
    const { recent } = partition
    if (recent.length > 0 && recent.at(-1)!.offset + 1 !== offset) recent.length = 0
    recent.push({ id: record.id, topic: record.topic, key: record.key, type: record.type, body: record.body, partition: partition.partition, offset })
    if (recent.length > RECENT_RECORDS) recent.splice(0, RECENT_RECORDS / 2)
  }

  function createReader(): LogReader {
    const bell = createBell()
    readers.add(bell.ring)
    let turn = 0

    async function read(wants: readonly Want[], max: number): Promise<PlacedRecord[]> {
      const ahead: { want: Want; partition: Partition }[] = []
      for (const want of wants) {
        const partition = byName.get(`${want.topic}/${want.partition}`)
        if (!partition) throw new SagaError('SAGA_DEFINITION', `topic "${want.topic}" was not ensured`)
        if (want.next < partition.first) throw outOfLog(want, `the log begins at ${partition.first}`)
        if (want.next < partition.head) ahead.push({ want, partition })
        // Only what the database itself says may call a position wrong: our own head can be behind.
        if (want.next > partition.head) await mustExist(want, partition)
      }
      if (ahead.length === 0) return []
      // Another partition is first each time, so that one with a backlog does not keep the others waiting.
      turn = (turn + 1) % ahead.length
      const turned = [...ahead.slice(turn), ...ahead.slice(0, turn)]
      const share = Math.max(16, Math.ceil(max / turned.length))
      const found: PlacedRecord[] = []
      const asked: typeof ahead = []
      for (const entry of turned) {
        const from = entry.want.next - (entry.partition.recent[0]?.offset ?? Infinity)
        if (from >= 0) found.push(...entry.partition.recent.slice(from, from + share))
        else asked.push(entry)
      }
      if (asked.length === 0) return found
      const rows = await db.query<{ partition_id: number; offset: number; id: string; key: string; type: string; body: string }>(READ, [
        plainArray(asked.map(({ partition }) => partition.id)),
        plainArray(asked.map(({ want }) => want.next)),
        share,
      ])
      const expected = new Map(asked.map(({ want, partition }) => [partition.id, want.next]))
      for (const row of rows) {
        const partition = byId.get(row.partition_id)!
        const want = expected.get(row.partition_id)!
        // The head says that the record exists; if it is not here it was dropped meanwhile.
        if (row.offset !== want) throw outOfLog({ topic: partition.topic, partition: partition.partition, next: want }, 'the record is gone')
        expected.set(row.partition_id, want + 1)
        found.push({ id: row.id, topic: partition.topic, key: row.key, type: row.type, body: row.body, partition: partition.partition, offset: row.offset })
      }
      return found
    }

    return {
      async poll(wants, max, waitMs) {
        const found = await read(wants, max)
        if (found.length > 0 || waitMs <= 0) return found
        await bell.wait(waitMs)
        return read(wants, max)
      },
      wake: bell.ring,
      async close() {
        readers.delete(bell.ring)
        bell.ring()
      },
    }
  }

  async function mustExist(want: Want, partition: Partition): Promise<void> {
    await refreshHeads()
    if (want.next > partition.head) throw outOfLog(want, `the log ends at ${partition.head}`)
  }
}

const outOfLog = (want: Want, why: string): SagaError =>
  new SagaError('SAGA_OFFSET_OUT_OF_LOG', `${want.topic}/${want.partition} cannot be read from offset ${want.next}: ${why}`, {
    partition: want.partition,
  })
