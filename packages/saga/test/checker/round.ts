import {
  createConsumer,
  createDatabase,
  createRelay,
  type Database,
  isTransient,
  listParked,
  type Transport,
} from '../../src/index.ts'
import { changed, hearing, noting, PARTITIONS, range, type Version, withoutLocks } from '../stock.ts'
import { until } from '../until.ts'
import { createCursorRelay } from './cursor-relay.ts'
import { cutting, failing, kill, type Weather } from './faults.ts'
import { judge, type Verdict } from './oracle.ts'
import { type Plan, randomOf } from './plan.ts'
import type { World } from './world.ts'
import { write } from './writers.ts'

const QUIET_MS = 30_000

export interface Outcome {
  /** By whose effects: each service's own, and the answers that it appended. */
  verdicts: Map<string, Verdict>
  /** What was reported that no fault explains. */
  surprises: Error[]
  figures: { committed: number; killed: number; cut: number; unpublished: number; repeated: number; fenced: number }
}

interface Process {
  stop(): Promise<void>
}

/** Runs a round in the world: writers, relays and consumers amid faults, then quiet until all is read, then judges. */
export async function runRound(world: World, plan: Plan): Promise<Outcome> {
  const weather: Weather = { on: true, killed: 0, cut: 0, unpublished: 0 }
  const errors: Error[] = []
  const onError = (error: Error): void => void errors.push(error)
  const prefix = `r${plan.seed}${plan.variant[0]}-`
  const keys = range(1, plan.keys).map((n) => `${prefix}${n}`)
  await steadily(() => world.shop.query('insert into item (key) select * from unnest($1::text[])', [keys]))

  const stack = new AsyncDisposableStack()
  const open = (db: { url: string }, max: number, name: string): Database => {
    const opened = createDatabase({ connectionString: db.url, max, applicationName: name })
    stack.defer(() => opened.close())
    return opened
  }
  const join = async (): Promise<Transport> => {
    const transport = await steadily(() => world.join())
    stack.defer(() => transport.close())
    await steadily(() => transport.ensureTopics(['stock'], PARTITIONS))
    return transport
  }
  const run = <P extends Process>(process: P): P => {
    stack.defer(() => process.stop())
    return process
  }
  let repeated = 0
  let part = 0
  const draw = () => randomOf(plan, part++)

  try {
    const writing = open(world.shop, plan.writers, 'writers')
    let looks: (() => number) | undefined
    for (let i = 0; i < plan.relays; i++) {
      const transport = failing(await join(), draw(), plan, weather)
      // The first is in the writers' process: their commits wake it.
      const db = i === 0 ? writing : open(world.shop, 1, `relay ${i}`)
      if (plan.variant === 'cursor relay') {
        const relay = run(createCursorRelay(open(world.shop, 1, 'cursor relay'), transport, plan.relayBatch))
        looks = relay.emptyLooks
        relay.start()
      } else
        run(
          createRelay({ db: plan.leader ? db : withoutLocks(db), transport, batch: plan.relayBatch, onError }),
        ).start()
    }
    const startConsumer = async (service: World['services'][number], name: string) => {
      const own = open(service.db, 3, name)
      const consumer = createConsumer({
        db: cutting(service.name === 'blind' ? withoutLocks(own) : own, draw(), plan, weather),
        transport: await join(),
        partitions: PARTITIONS,
        batch: plan.consumerBatch,
        reactions: [hearing([changed], noting)],
        onError,
      })
      await steadily(() => consumer.prepare())
      run({
        async stop() {
          await consumer.stop()
          repeated += consumer.stats().repeated
        },
      })
      consumer.start()
      return consumer
    }
    const consumers = []
    for (const service of world.services) {
      consumers.push(await startConsumer(service, `${service.name} 1`))
      await startConsumer(service, `${service.name} 2`)
    }

    const killing = kill(
      world.shop.url,
      world.databases[plan.killServicesOnly ? 'services' : 'all'],
      draw(),
      plan,
      weather,
    )
    const written = range(1, plan.writers).map(() => write(writing, draw(), keys, plan.transactions))
    // In the midst of it, one instance of each service goes and another comes.
    const moving = (async () => {
      for (const [i, service] of world.services.entries()) {
        await consumers[i]!.stop()
        await startConsumer(service, `${service.name} 3`)
      }
    })()
    const committed = (await Promise.all(written)).reduce((sum, n) => sum + n, 0)
    await moving
    weather.on = false
    await killing
    await quiet(world, looks, consumers)
    const verdicts = await steadily(() => verdictsOf(world, prefix))
    await stack.disposeAsync()
    const surprises = errors.filter((error) => !isTransient(error))
    for (const { db } of world.services)
      for (const { key, error } of await steadily(() => listParked(db)))
        surprises.push(new Error(`${key} is parked: ${error}`))
    const fenced = errors.filter((error) => 'code' in error && error.code === 'SAGA_FENCED').length
    const { killed, cut, unpublished } = weather
    return { verdicts, surprises, figures: { committed, killed, cut, unpublished, repeated, fenced } }
  } finally {
    weather.on = false
    await stack.disposeAsync()
  }
}

/** Resolves when the outbox is empty, as far as the relay can see, and all consumers have read the log to its end. */
async function quiet(
  { shop }: World,
  emptyLooks: (() => number) | undefined,
  consumers: readonly { lag(): Promise<{ behind: number }[]> }[],
): Promise<void> {
  // Of two looks that begin from now on, the second one begins after all commits.
  const enough = (emptyLooks?.() ?? 0) + 2
  await until(
    'quiet',
    () =>
      steadily(async () => {
        if (emptyLooks ? emptyLooks() < enough : (await shop.query('select from saga.outbox limit 1')).length > 0)
          return false
        for (const consumer of consumers) if ((await consumer.lag()).some(({ behind }) => behind > 0)) return false
        return true
      }),
    QUIET_MS,
  )
}

/** Asks again, when what was asked did not survive a fault. */
async function steadily<T>(ask: () => Promise<T>): Promise<T> {
  const { answer } = await until('an answer amid the faults', () =>
    ask().then(
      (answer) => ({ answer }),
      (thrown: unknown) => (isTransient(thrown) ? undefined : Promise.reject(thrown)),
    ),
  )
  return answer
}

async function verdictsOf(world: World, prefix: string): Promise<Map<string, Verdict>> {
  const items = await world.shop.query<Version>('select key, version from item where starts_with(key, $1)', [prefix])
  const committed = new Map(items.map(({ key, version }) => [key, version]))
  const verdicts = new Map<string, Verdict>()
  for (const { name, db } of world.services) {
    const heard = await db.query<Version>('select key, version from heard where starts_with(key, $1) order by n', [
      prefix,
    ])
    verdicts.set(`${name}: effects`, judge(committed, heard))
    const answers = await db.query<{ body: string }>(
      'select body from saga.outbox where starts_with(key, $1) order by seq',
      [prefix],
    )
    verdicts.set(
      `${name}: answers`,
      judge(
        committed,
        answers.map(({ body }) => (JSON.parse(body) as { data: Version }).data),
      ),
    )
  }
  return verdicts
}
