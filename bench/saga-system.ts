import { randomUUID, randomUUIDv7 } from 'node:crypto'
import {
  append,
  createDatabase,
  createMemoryTransport,
  createPostgresTransport,
  createWorker,
  type Database,
  defineEvent,
  defineSaga,
  on,
  transaction,
  type Transport,
  type Worker,
} from '@pando/saga'
import { createKafkaTransport } from '@pando/saga/kafka'

// The sign-up saga through the library alone: four services with a database each, five events a saga, no HTTP, no hashing.

type Signed = { userId: string; username: string; displayName: string }
type Member = { userId: string }
type Refused = { userId: string; reason: string }

const record = (value: unknown): Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) throw new Error('not an object')
  return value as Record<string, unknown>
}
const event = <const Name extends string, Data extends { userId: string }>(
  name: Name,
  fields: readonly (keyof Data & string)[],
) =>
  defineEvent({
    name,
    version: 1,
    topic: name.slice(0, name.indexOf('.')),
    key: (data: Data) => data.userId,
    data: (value): Data => {
      const source = record(value)
      return Object.fromEntries(fields.map((field) => [field, source[field]])) as Data
    },
  })

const started = event<'user.sign-up-started', Signed>('user.sign-up-started', ['userId', 'username', 'displayName'])
const registered = event<'user.registered', Member>('user.registered', ['userId'])
const signUpFailed = event<'user.sign-up-failed', Refused>('user.sign-up-failed', ['userId', 'reason'])
const PARTICIPANTS = ['chat', 'customer', 'market'] as const
const answers = Object.fromEntries(
  PARTICIPANTS.map((name) => [
    name,
    {
      done: event<string, Member>(`${name}.opened`, ['userId']),
      failed: event<string, Refused>(`${name}.refused`, ['userId', 'reason']),
      undone: event<string, Member>(`${name}.closed`, ['userId']),
    },
  ]),
)
const signUp = defineSaga({
  type: 'sign-up',
  starts: started,
  deadlineMs: 120_000,
  own: 'user',
  steps: answers,
  completes: registered,
  fails: signUpFailed,
})

export interface SagaSystem {
  /** Starts so many sagas in one transaction. */
  start(count: number): Promise<string[]>
  /** Resolves when the saga has ended. */
  ended(id: string): Promise<void>
  completed(): number
  /** Resolves when so many have completed. */
  reached(count: number): Promise<void>
  stop(): Promise<void>
}

export type Log = 'memory' | 'postgres' | 'kafka'

/** Databases `bench_…` are made anew in the cluster; `brokers` are those of `kafka`. */
export async function startSagaSystem(
  clusterUrl: string,
  log: Log,
  brokers: readonly string[] = [],
): Promise<SagaSystem> {
  const admin = createDatabase({ connectionString: clusterUrl })
  const onError = (error: Error): void => console.error(error.message)
  const databases: Database[] = []
  const open = async (name: string, max: number): Promise<Database> => {
    await admin.query(`drop database if exists bench_${name} with (force)`)
    await admin.query(`create database bench_${name}`)
    const db = createDatabase({
      connectionString: Object.assign(new URL(clusterUrl), { pathname: `/bench_${name}` }).href,
      max,
    })
    databases.push(db)
    return db
  }
  const transport = await openLog()
  async function openLog(): Promise<Transport> {
    if (log === 'memory') return createMemoryTransport()
    if (log === 'postgres') return createPostgresTransport({ db: await open('log', 6), alone: true })
    return createKafkaTransport({ connection: { brokers }, prefix: `bench-${randomUUID()}`, onError })
  }
  const waiting = new Map<string, () => void>()
  let completed = 0
  let goal = { count: Infinity, done: (): void => {} }
  const workers: Worker[] = []
  const userDb = await open('user', 5)
  await userDb.query('create table account (id uuid primary key, username text unique not null, status text not null)')
  const user = createWorker({
    topic: 'user',
    db: userDb,
    transport,
    partitions: 16,
    onError,
    sagas: [
      {
        definition: signUp,
        hooks: {
          async completed(sagas, tx) {
            await tx.query(`update account set status = 'active' where id = any($1::uuid[])`, [
              `{${sagas.map(({ start }) => (start.data as Signed).userId).join(',')}}`,
            ])
            tx.afterCommit(() => {
              completed += sagas.length
              if (completed >= goal.count) goal.done()
              for (const { view } of sagas) {
                waiting.get(view.id)?.()
                waiting.delete(view.id)
              }
            })
          },
        },
      },
    ],
  })
  workers.push(user)
  for (const name of PARTICIPANTS) {
    const db = await open(name, 3)
    await db.query('create table member (user_id uuid primary key, saga_id uuid not null, username text not null)')
    const { done } = answers[name]!
    workers.push(
      createWorker({
        topic: name,
        db,
        transport,
        partitions: 16,
        onError,
        reactions: [
          on(
            [started],
            async (events, tx) => {
              await tx.query(
                'insert into member select * from unnest($1::uuid[], $2::uuid[], $3::text[]) on conflict do nothing',
                [
                  `{${events.map((e) => e.data.userId).join(',')}}`,
                  `{${events.map((e) => e.sagaId).join(',')}}`,
                  events.map((e) => e.data.username),
                ],
              )
              for (const e of events) append(tx, done({ userId: e.data.userId }), { causedBy: e })
            },
            { emits: [done] },
          ),
        ],
      }),
    )
  }
  for (const worker of workers) await worker.start()

  return {
    async start(count) {
      const items = Array.from({ length: count }, () => {
        const userId = randomUUIDv7()
        return { id: randomUUID(), ownerId: userId, data: { userId, username: `u.${userId}`, displayName: 'Nayun' } }
      })
      await transaction(userDb, async (tx) => {
        await tx.query(`insert into account select *, 'pending' from unnest($1::uuid[], $2::text[])`, [
          `{${items.map((item) => item.data.userId).join(',')}}`,
          items.map((item) => item.data.username),
        ])
        user.sagas.start(tx, signUp, items)
      })
      return items.map((item) => item.id)
    },
    ended: (id) =>
      new Promise((resolve) => {
        waiting.set(id, resolve)
      }),
    completed: () => completed,
    reached: (count) =>
      new Promise((done) => {
        goal = { count, done }
        if (completed >= count) done()
      }),
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()))
      await transport.close()
      await Promise.all(databases.map((db) => db.close()))
      await admin.close()
    },
  }
}
