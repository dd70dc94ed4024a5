import type { Queryable, Row } from './database.ts'
import type { Envelope, Received } from './event.ts'
import type { SagaState, SagaStatus } from './saga.ts'
import { SAGA_ROW, type SagaRow, stateOf } from './sagas.ts'
import type { Transport } from './transport.ts'

/** Which sagas, and where the page before ended. */
export interface SagaQuery {
  type?: string | undefined
  status?: SagaStatus | undefined
  limit: number
  after?: SagaPlace | undefined
}

/** The place of a saga in the list: `urgent` ones first (failed, or past their deadline and not ended), each kind newest first. */
export interface SagaPlace {
  urgent: boolean
  startedAt: string
  id: string
}

/** A page of sagas for operators, failed and overdue first. `next` is the place of the last one, null at the end. */
export async function listSagas(
  db: Queryable,
  query: SagaQuery,
): Promise<{ states: SagaState[]; next: SagaPlace | null }> {
  const states: { state: SagaState; urgent: boolean }[] = []
  for (const urgent of query.after?.urgent === false ? [false] : [true, false]) {
    if (states.length > query.limit) break
    const after = query.after?.urgent === urgent ? query.after : undefined
    const rows = await db.query<SagaRow>(
      `select ${SAGA_ROW} from saga.saga
       where ${urgent ? '' : 'not'} (status = 'failed' or (ended_at is null and deadline < now()))
         and ($1::text is null or type = $1) and ($2::text is null or status = $2)
         and ($3::timestamptz is null or (started_at, id) < ($3, $4::uuid))
       order by started_at desc, id desc limit $5`,
      [
        query.type ?? null,
        query.status ?? null,
        after?.startedAt ?? null,
        after?.id ?? null,
        query.limit + 1 - states.length,
      ],
    )
    states.push(...rows.map((row) => ({ state: stateOf(row), urgent })))
  }
  const page = states.slice(0, query.limit)
  const last = states.length > query.limit ? page.at(-1) : undefined
  return {
    states: page.map(({ state }) => state),
    next: last ? { urgent: last.urgent, startedAt: last.state.view.startedAt, id: last.state.view.id } : null,
  }
}

/** Sagas of one type and status that have not ended; `overdue`: those of them that are past their deadline. */
export interface OpenSagas {
  type: string
  status: SagaStatus
  count: number
  overdue: number
}

// Those whose deadline is to be looked at, the first ones due first, so that overdue ones are among them; and those that were looked at.
const OPEN = `
  (select type, status, deadline from saga.saga where due_at is not null order by due_at limit 10000)
  union all
  (select type, status, deadline from saga.saga where due_at is null and ended_at is null limit 10000)`

/** How many sagas are open, from indexes alone: of each kind of row at most 10,000 are looked at. */
export function countOpenSagas(db: Queryable): Promise<OpenSagas[]> {
  return db.query<OpenSagas & Row>(
    `select type, status, count(*) as count, count(*) filter (where deadline < now()) as overdue
     from (${OPEN}) o group by type, status order by type, status`,
  )
}

/** An event of a saga as operators see it. `offset` is null while the event waits in the outbox. */
export interface HistoryEntry {
  eventId: string
  type: string
  version: number
  service: string
  causationId: string | null
  recordedAt: string
  receivedAt: string
  attempt: number
  topic: string
  partition: number
  offset: number | null
  data: unknown
}

/**
 * The events of a saga in causal order: each one's cause stands before it. Events that this service made itself count as received when
 * they were made; where they lie is looked up in the log.
 */
export async function sagaHistory(
  db: Queryable,
  transport: Transport,
  sagaId: string,
  place: (topicEvent: Envelope) => { topic: string; partition: number },
): Promise<HistoryEntry[]> {
  const rows = await db.query<Row & { cause: string | null; emitted: string | null }>(
    'select cause, emitted from saga.saga_event where saga_id = $1 order by version',
    [sagaId],
  )
  const entries: HistoryEntry[] = []
  for (const { cause, emitted } of rows) {
    if (cause !== null) entries.push(heard(JSON.parse(cause)))
    for (const made of emitted === null ? [] : (JSON.parse(emitted) as Envelope[])) {
      const { topic, partition } = place(made)
      const offset = await transport.locate({ topic, partition, id: made.id, time: Date.parse(made.time) })
      entries.push(entry(made, { topic, partition, offset: offset ?? null, receivedAt: made.time }))
    }
  }
  return entries
}

const heard = (event: Received & { receivedAt: string }): HistoryEntry => entry(event, event)

function entry(event: Envelope, at: Pick<HistoryEntry, 'topic' | 'partition' | 'offset' | 'receivedAt'>): HistoryEntry {
  return {
    eventId: event.id,
    type: event.type,
    version: event.version,
    service: at.topic,
    causationId: event.causationId,
    recordedAt: event.time,
    receivedAt: at.receivedAt,
    attempt: event.attempt,
    topic: at.topic,
    partition: at.partition,
    offset: at.offset,
    data: event.data,
  }
}
