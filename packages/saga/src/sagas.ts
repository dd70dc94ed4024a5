import { jsonArray, jsonTexts, plainArray } from './arrays.ts'
import type { Database, Queryable } from './database.ts'
import { isTransient } from './errors.ts'
import { type Cause, type Envelope, envelopeOf, type EventKind, type NewEvent, type Received } from './event.ts'
import { createBell, createLoop, type Running } from './loop.ts'
import { appendEnvelope } from './outbox.ts'
import type { Reaction } from './reaction.ts'
import { answersTo, begin, evolve, type SagaDefinition, type SagaInput, type SagaState, type SagaView } from './saga.ts'
import { readEpoch, type StoredEvent, type StreamSource } from './streams.ts'
import { transaction, type Tx } from './transaction.ts'

// The initiating service's view of its sagas. It commands nobody: it writes down what the participants' answers say, in the
// transaction of the consumer, each saga's row locked (in the order of ids) while it changes. Each change is a version, kept as it
// was: that is what the SSE stream of a saga is read from.

/** What the initiating service does itself, in the same transaction, when its saga ends (`completed` or `failed`) or changes at all. */
export interface SagaHooks {
  completed?: (sagas: readonly SagaState[], tx: Tx) => Promise<void>
  failed?: (sagas: readonly SagaState[], tx: Tx) => Promise<void>
  /** Called with every version, the first one too, in the transaction that stores it. */
  changed?: (sagas: readonly SagaState[], tx: Tx) => void
  /** What the hooks may append, beside what the saga itself says. */
  emits?: readonly EventKind[]
}

/** A version of a saga that has just been committed. */
export interface SagaVersion {
  id: string
  view: SagaView
  event: StoredEvent
  /** The trace that it belongs to. */
  traceparent: string | undefined
}

export interface Sagas {
  /** Starts sagas in this transaction: their rows, their first versions, and the `starts` events. Returns the views. */
  start<Start>(tx: Tx, definition: SagaDefinition<Start>, items: readonly StartItem<Start>[]): SagaView[]
  /** Reacts to the answers of all participants. */
  readonly reaction: Reaction
  /** Ends what is past its deadline. */
  readonly deadlines: Running
  /** A saga's state by id; undefined when there is none of that type. */
  find(type: string, id: string): Promise<SagaState | undefined>
  readonly source: StreamSource
  /** Deletes sagas that ended so many days ago, some at a time. */
  purge(days: number): Promise<void>
  /** Reads the epoch; call it once after the migration. */
  prepare(): Promise<void>
}

export interface StartItem<Start> {
  id: string
  ownerId: string | null
  data: Start
  deadlineMs?: number
  traceparent?: string | undefined
}

const DEADLINE_LOOK_MS = 1_000
const PURGE_AT_ONCE = 1_000
const FORGET = `
  with gone as (delete from saga.saga where id = any($1::uuid[]))
  delete from saga.saga_event where saga_id = any($1::uuid[])`
/** How long a saga that could not be ended (its hook threw) is left alone. */
const DEADLINE_RETRY_MS = 60_000

interface Change {
  state: SagaState
  /** The view as JSON: for the saga's row, for its version, and for the streams. */
  text: string
  cause: string
  emitted: Envelope[]
  traceparent: string | undefined
}

/** Deletes sagas of this service with everything known of them, in this transaction: they tell of somebody who is gone. */
export function forgetSagas(tx: Tx, ids: readonly string[]): void {
  tx.send(FORGET, [plainArray(ids)])
}

/** The sagas that a service starts. `onVersions` is told of committed versions: wake-ups, which may be lost. */
export function createSagas(options: {
  db: Database
  sagas: readonly { definition: SagaDefinition<never>; hooks?: SagaHooks }[]
  onVersions?: (versions: readonly SagaVersion[]) => void
  onError?: (error: Error) => void
  now?: () => number
}): Sagas {
  const { db, sagas, onVersions = () => {}, onError = () => {}, now = Date.now } = options
  const byType = new Map(sagas.map((saga) => [saga.definition.type, saga]))
  let epoch = ''

  function start<Start>(tx: Tx, definition: SagaDefinition<Start>, items: readonly StartItem<Start>[]): SagaView[] {
    const time = now()
    const changes = items.map((item): Change => {
      const event = definition.starts(item.data)
      const envelope = envelopeOf(event, time, {
        sagaType: definition.type,
        sagaId: item.id,
        traceparent: item.traceparent,
      })
      const { id, correlationId, traceparent, data } = envelope
      const state = begin(definition as SagaDefinition<never>, {
        id: item.id,
        ownerId: item.ownerId,
        start: { id, correlationId, ...(traceparent !== undefined && { traceparent }), data },
        now: time,
        ...(item.deadlineMs !== undefined && { deadlineMs: item.deadlineMs }),
      })
      return { state, text: JSON.stringify(state.view), cause: '', emitted: [envelope], traceparent }
    })
    tx.send(INSERT, [
      plainArray(changes.map(({ state }) => state.view.id)),
      definition.type,
      changes.map(({ state }) => state.ownerId),
      jsonTexts(changes.map(({ state }) => JSON.stringify(state.start))),
      plainArray(changes.map(({ state }) => state.view.startedAt)),
      plainArray(changes.map(({ state }) => state.view.deadline)),
      jsonTexts(changes.map(({ text }) => text)),
      jsonTexts(changes.map(({ emitted }) => JSON.stringify(emitted))),
      definition.fails !== undefined,
    ])
    for (const { emitted } of changes) appendEnvelope(tx, definition.starts.topic, emitted[0]!)
    show(tx, changes)
    tell(tx, changes)
    return changes.map(({ state }) => state.view)
  }

  /** All inputs of a transaction: loads and locks the sagas, evolves them in order, writes once. */
  async function advance(tx: Tx, inputs: readonly { id: string; input: SagaInput; event?: Received }[]): Promise<void> {
    const states = await lock(tx, [...new Set(inputs.map(({ id }) => id))])
    const changes: Change[] = []
    const ended: SagaState[] = []
    for (const { id, input, event } of inputs) {
      const before = states.get(id)
      const definition = before && byType.get(before.view.type)?.definition
      if (!definition) continue
      const { states: after, events } = evolve(definition, before, input, now())
      if (after.length === 0) continue
      const emitted = events.map((made) => publish(tx, before, made, event))
      after.forEach((state, i) =>
        changes.push({
          state,
          text: JSON.stringify(state.view),
          cause: i === 0 && event ? causeText(event, now()) : '',
          emitted: i === 0 ? emitted : [],
          traceparent: event ? event.traceparent : before.start.traceparent,
        }),
      )
      states.set(id, after.at(-1)!)
      if (after.at(-1)!.view.endedAt !== null) ended.push(after.at(-1)!)
    }
    if (changes.length === 0) return
    store(tx, changes)
    await runHooks(tx, ended)
    show(tx, changes)
    tell(tx, changes)
  }

  function publish(
    tx: Tx,
    { view, start: { id, correlationId, traceparent } }: SagaState,
    made: NewEvent,
    event?: Received,
  ): Envelope {
    const cause: Cause = { sagaType: view.type, sagaId: view.id, ...(event && { causedBy: event }) }
    // A deadline has no event behind it: the chain goes on from the start.
    const envelope = event
      ? envelopeOf(made, now(), cause)
      : { ...envelopeOf(made, now(), { ...cause, traceparent }), causationId: id, correlationId }
    appendEnvelope(tx, made.kind.topic, envelope)
    return envelope
  }

  async function runHooks(tx: Tx, ended: readonly SagaState[]): Promise<void> {
    for (const [type, group] of Map.groupBy(ended, (state) => state.view.type)) {
      const hooks = byType.get(type)?.hooks
      const completed = group.filter(({ view }) => view.status === 'completed')
      const failed = group.filter(({ view }) => view.status === 'failed')
      if (completed.length > 0) await hooks?.completed?.(completed, tx)
      if (failed.length > 0) await hooks?.failed?.(failed, tx)
    }
  }

  function show(tx: Tx, changes: readonly Change[]): void {
    for (const [type, group] of Map.groupBy(changes, ({ state }) => state.view.type))
      byType.get(type)?.hooks?.changed?.(
        group.map(({ state }) => state),
        tx,
      )
  }

  function tell(tx: Tx, changes: readonly Change[]): void {
    const versions = changes.map(({ state: { view }, text, traceparent }) => ({
      id: view.id,
      view,
      event: storedEvent(view, text),
      traceparent,
    }))
    tx.afterCommit(() => onVersions(versions))
  }

  const answers = unique(sagas.flatMap(({ definition }) => answersTo(definition)))
  const reaction: Reaction = {
    types: answers,
    emits: unique(
      sagas.flatMap(({ definition: { completes, fails }, hooks }) => [
        completes,
        ...(fails ? [fails] : []),
        ...(hooks?.emits ?? []),
      ]),
    ),
    async react(events, tx) {
      // Answers to other services' sagas look the same; those are not ours.
      const ours = events.filter((event) => event.sagaId !== undefined && byType.has(event.sagaType ?? ''))
      if (ours.length > 0)
        await advance(
          tx,
          ours.map((event) => ({ id: event.sagaId!, input: event, event })),
        )
    },
  }

  const bell = createBell()
  const deadlines = createLoop({
    bell,
    onError,
    async turn() {
      const [due] = await db.query(`select from ${DUE} limit 1`, dueNow())
      // Found, but none to be had: another instance is at work on them.
      if (!due || (await expireSome()) === 0) await bell.wait(DEADLINE_LOOK_MS)
    },
  })
  // During an upgrade older instances do not know the newest type of saga; its deadlines are not theirs to end.
  const dueNow = (): unknown[] => [new Date(now()), [...byType.keys()]]

  async function expireSome(): Promise<number> {
    try {
      return await transaction(db, (tx) => expire(tx, 500))
    } catch (thrown) {
      if (isTransient(thrown)) throw thrown
      return await expireEach()
    }
  }

  /** One transaction each, so that one that cannot be ended does not stop the others. */
  async function expireEach(): Promise<number> {
    const due = await db.query<{ id: string }>(`select id from ${DUE} order by due_at limit 500`, dueNow())
    for (const { id } of due) {
      try {
        await transaction(db, (tx) => expire(tx, 1, id))
      } catch (thrown) {
        if (isTransient(thrown)) throw thrown
        onError(new Error(`the deadline of saga ${id} could not end it`, { cause: thrown }))
        await db.query('update saga.saga set due_at = $2 where id = $1 and due_at is not null', [
          id,
          new Date(now() + DEADLINE_RETRY_MS),
        ])
      }
    }
    return due.length
  }

  async function expire(tx: Tx, limit: number, id?: string): Promise<number> {
    const rows = await tx.query<{ id: string }>(
      `update saga.saga set due_at = null where id in (
         select id from ${DUE} and ($3::uuid is null or id = $3) order by due_at limit $4 for update skip locked) returning id`,
      [...dueNow(), id ?? null, limit],
    )
    if (rows.length > 0)
      await advance(
        tx,
        rows.map((row) => ({ id: row.id, input: 'deadline' as const })),
      )
    return rows.length
  }

  return {
    start,
    reaction,
    deadlines,
    async find(type, id) {
      const [row] = await db.query<SagaRow>(`select ${SAGA_ROW} from saga.saga where id = $1 and type = $2`, [id, type])
      return row && stateOf(row)
    },
    source: {
      get epoch() {
        return epoch
      },
      heads: (ids) => headsOf(db, ids),
      async page(id, after, limit) {
        const rows = await db.query<{ view: string; version: number }>(
          'select version, view from saga.saga_event where saga_id = $1 and version > $2 order by version limit $3',
          [id, after, limit],
        )
        return rows.map(({ view, version }) => ({ seq: version, type: 'saga', data: view, last: isTerminal(view) }))
      },
    },
    async purge(days) {
      for (let some = PURGE_AT_ONCE; some === PURGE_AT_ONCE;) {
        const old = await db.query<{ id: string }>(
          `select id from saga.saga where started_at < $1 and ended_at < $1 order by started_at limit ${PURGE_AT_ONCE}`,
          [new Date(now() - days * 86_400_000)],
        )
        some = old.length
        await db.query(FORGET, [plainArray(old.map(({ id }) => id))])
      }
    },
    async prepare() {
      epoch = await readEpoch(db)
    },
  }
}

// The parameters of dueNow().
const DUE = 'saga.saga where due_at <= $1 and type = any($2::text[])'

/** A saga as its row has it; `view` and `start` as JSON. For `stateOf`. */
export interface SagaRow {
  owner_id: string | null
  view: string
  start: string
}
export const SAGA_ROW = 'owner_id, view, start'

export const stateOf = (row: SagaRow): SagaState => ({
  view: JSON.parse(row.view),
  ownerId: row.owner_id,
  start: JSON.parse(row.start),
})

async function lock(tx: Tx, ids: readonly string[]): Promise<Map<string, SagaState>> {
  const rows = await tx.query<SagaRow>(
    `select ${SAGA_ROW} from saga.saga where id = any($1::uuid[]) order by id for update`,
    [plainArray(ids)],
  )
  return new Map(rows.map(stateOf).map((state) => [state.view.id, state]))
}

// The saga and its first version in one statement. One that only goes forward ($9 false) is never due.
const INSERT = `
  with s as (
    select * from unnest($1::uuid[], $3::text[], ${jsonArray(4)}, $5::timestamptz[], $6::timestamptz[], ${jsonArray(7)}, ${jsonArray(8)})
      s(id, owner_id, start, started_at, deadline, view, emitted)),
  saga as (
    insert into saga.saga (id, type, owner_id, status, version, view, start, started_at, deadline, due_at)
    select id, $2, owner_id, 'running', 1, view, start, started_at, deadline, case when $9::bool then deadline end from s)
  insert into saga.saga_event (saga_id, version, view, emitted) select id, 1, view, emitted from s`

// All versions, and in the rows of their sagas the last one of each, in one statement.
const UPDATE = `
  with e as (
    select * from unnest($1::uuid[], $2::int[], ${jsonArray(3)}, $4::text[], $5::text[], ${jsonArray(6)}, ${jsonArray(7)}, $8::bool[])
      e(id, version, view, status, ended_at, cause, emitted, newest)),
  saga as (
    update saga.saga s
    set status = e.status, version = e.version, view = e.view, ended_at = nullif(e.ended_at, '')::timestamptz,
        due_at = case when e.ended_at = '' then s.due_at end
    from e where s.id = e.id and e.newest)
  insert into saga.saga_event (saga_id, version, view, cause, emitted)
  select id, version, view, nullif(cause, ''), nullif(emitted, '') from e`

function store(tx: Tx, changes: readonly Change[]): void {
  const newest = new Map(changes.map((change) => [change.state.view.id, change]))
  tx.send(UPDATE, [
    plainArray(changes.map(({ state }) => state.view.id)),
    plainArray(changes.map(({ state }) => state.view.version)),
    jsonTexts(changes.map(({ text }) => text)),
    plainArray(changes.map(({ state }) => state.view.status)),
    changes.map(({ state }) => state.view.endedAt ?? ''),
    jsonTexts(changes.map(({ cause }) => cause)),
    jsonTexts(changes.map(({ emitted }) => (emitted.length > 0 ? JSON.stringify(emitted) : ''))),
    plainArray(changes.map((change) => String(newest.get(change.state.view.id) === change))),
  ])
}

async function headsOf(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, { seq: number; min: number; ended: boolean }>> {
  const rows = await db.query<{ id: string; version: number; ended: boolean }>(
    'select id, version, ended_at is not null as ended from saga.saga where id = any($1::uuid[])',
    [plainArray(ids)],
  )
  return new Map(rows.map((row) => [row.id, { seq: row.version, min: 1, ended: row.ended }]))
}

const storedEvent = (view: SagaView, text: string): StoredEvent => ({
  seq: view.version,
  type: 'saga',
  data: text,
  last: view.endedAt !== null,
})
// `endedAt` is the last member of every view.
const isTerminal = (view: string): boolean => !view.endsWith('"endedAt":null}')

const causeText = (event: Received, time: number): string =>
  JSON.stringify({ ...event, tries: undefined, receivedAt: new Date(time).toISOString() })

const unique = (kinds: readonly EventKind[]): EventKind[] => [
  ...new Map(kinds.map((kind) => [`${kind.type}@${kind.version}`, kind])).values(),
]
