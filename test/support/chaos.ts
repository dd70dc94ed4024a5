// A cluster under load in which everything dies that can, and the sentence over what is left of it.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '@pando/saga'
import { createRandom, type Random } from '@pando/saga/testing'
import { startEmbeddedPostgres } from '@pando/service'
import { startBalancer } from '../../tools/balancer.ts'
import { createChatLoad } from './chat-load.ts'
import { testCluster } from './cluster.ts'
import { openEmbedded, postmasterOf } from './embedded.ts'
import { ownKafka } from './kafka.ts'
import { createLoad, type Guest } from './load.ts'
import { createMarketLoad } from './market-load.ts'
import { OPERATOR, redriveAt } from './operator.ts'
import { judge, type Verdict } from './oracle.ts'
import type { Scope } from './postgres.ts'
import { scratch } from './process.ts'
import { until } from './until.ts'

export interface ChaosOptions {
  /** Gives what is done, in which order, to whom; not how it interleaves. */
  seed: number
  /** Begins no further round after so many seconds; one round is at least done, and another one while no stream was resumed. */
  seconds: number
  /** How long PostgreSQL is stopped, each time. */
  outageMs: number
  /** Clients at each moment. */
  clients: number
  /** Events go through a Kafka of their own, which dies as well. */
  withKafka: boolean
  say: (line: string) => void
}

type Act = 'kill' | 'cut' | 'crash' | 'outage' | 'rolling' | 'broker'
// What does not depend on the log is done in the longer round alone.
const ROUND: readonly Act[] = ['kill', 'kill', 'kill', 'kill', 'kill', 'cut', 'cut', 'crash', 'outage']
const ROUND_WITH_KAFKA: readonly Act[] = [...ROUND, 'rolling', 'broker']
const PAUSE_MS = [500, 4_000] as const
// Long enough for a few of the sign-ups to fail, and be undone, because somebody was away.
const DEADLINE_MS = 5_000
const REST_MS = 120_000

/**
 * Two processes of each service and two gateways on a PostgreSQL of their own, under sign-ups, deletions, log-ins and streams that are
 * followed at the other gateway from break to break, people who talk in rooms and follow their own streams, and people who trade.
 * Meanwhile, in rounds of a random order: SIGKILL of one or two processes, five times; connections to PostgreSQL cut,
 * twice; SIGKILL of PostgreSQL; PostgreSQL stopped for a while. With Kafka a rolling restart of everything, and SIGKILL of the broker, which is
 * away for a while. At last the oracle looks at all databases and the log.
 */
export async function runChaos(scope: Scope, options: ChaosOptions): Promise<Verdict> {
  const { seed, seconds, outageMs, clients, withKafka, say } = options
  const random = createRandom(seed)
  const dataDir = join(scratch(), 'data')
  const postgres = await startPostgres(scope, dataDir)
  const kafka = withKafka ? await ownKafka(scope) : undefined
  const env = {
    DATABASE_URL: postgres.url,
    DATA_DIR: dataDir,
    SIGN_UP_DEADLINE_MS: String(DEADLINE_MS),
    ...OPERATOR,
    ...(kafka && { KAFKA_BROKERS: kafka.brokers }),
  }
  const cluster = await testCluster(scope, { env })
  const chat = await createChatLoad(scope, { random: createRandom(seed + 2), urls: () => cluster.gateways })
  const market = await createMarketLoad(scope, { random: createRandom(seed + 3), urls: () => cluster.gateways })
  const load = createLoad(scope, { random: createRandom(seed + 1), clients })
  const done: Record<string, number> = {}
  const names = cluster.instances.map(({ name }) => name)

  const acts: Record<Act, () => Promise<string>> = {
    async kill() {
      const victims = random.shuffle(names).slice(0, random.pick([1, 1, 2]))
      await Promise.all(victims.map((name) => cluster.kill(name)))
      return `SIGKILL of ${victims.join(' and ')}`
    },
    async cut() {
      return `${await cutConnections(dataDir, 1 + random.below(8))} connections to PostgreSQL cut`
    },
    async crash() {
      // Back from the last time.
      process.kill(await until('PostgreSQL', () => postmasterOf(dataDir)), 'SIGKILL')
      return 'SIGKILL of PostgreSQL'
    },
    async outage() {
      await postgres.outage(outageMs)
      return `PostgreSQL stopped for ${outageMs} ms`
    },
    async broker() {
      await kafka!.kill()
      await delay(outageMs)
      await kafka!.start()
      return `SIGKILL of Kafka, away for ${outageMs} ms`
    },
    async rolling() {
      await cluster.rolling()
      return 'a rolling restart of everything'
    },
  }

  const begun = performance.now()
  const since = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`.padStart(8)
  const running = load.at(() => cluster.gateways)
  const isMore = (): boolean =>
    performance.now() - begun < seconds * 1000 || ledgers(load.guests)['of these resumed'] === 0
  for (let round = 1; round === 1 || isMore(); round++)
    for (const { act, pauseMs } of plan(random, kafka ? ROUND_WITH_KAFKA : ROUND)) {
      await delay(pauseMs)
      const before = load.answers()
      const what = await acts[act]()
      done[act] = (done[act] ?? 0) + 1
      say(`${since()}  ${what} (${load.answers() - before} answers meanwhile, ${load.answers()} in all)`)
    }
  await delay(PAUSE_MS[1])
  // On a slow machine little may have come of it so far.
  await until('an account is being deleted', () => (load.counts['deletion 202'] ?? 0) > 0, REST_MS)
  await Promise.all([running.stop(), chat.stop(), market.stop()])
  say(`${since()}  the load has ended`)

  const verdict = await judge(dataDir, [...load.guests, ...chat.guests, ...market.guests], {
    patienceMs: REST_MS,
    brokers: kafka?.brokers,
    redrive: redriveAt(() => cluster.gateways[0]!),
  })
  const talk = await withDatabase(dataDir, 'chat', (db) => chat.judge(db))
  const trade = await withDatabase(dataDir, 'chat', (db) =>
    withDatabase(dataDir, 'market', (marketDb) => market.judge(marketDb, db)),
  )
  const faults = [...verdict.faults, ...load.faults, ...chat.faults, ...talk.faults, ...market.faults, ...trade.faults]
  if (faults.length > 0) say(cluster.lines.join('\n'))
  return {
    faults,
    counts: { ...done, ...load.counts, ...verdict.counts, ...ledgers(load.guests), ...talk.counts, ...trade.counts },
  }
}

function plan(random: Random, round: readonly Act[]): { act: Act; pauseMs: number }[] {
  const [shortest, longest] = PAUSE_MS
  return random.shuffle(round).map((act) => ({ act, pauseMs: shortest + random.below(longest - shortest) }))
}

function ledgers(guests: readonly Guest[]): Record<string, number> {
  const followed = guests.filter(({ followed }) => followed !== undefined)
  return {
    'streams followed to their end': followed.length,
    'of these resumed': followed.filter(({ followed }) => followed!.breaks > 0).length,
    'events in them': followed.reduce((sum, { versions }) => sum + versions.length, 0),
  }
}

/** A PostgreSQL that can be away, and comes back at the address that it had. */
async function startPostgres(scope: Scope, dataDir: string) {
  let server = await startEmbeddedPostgres({ dataDir })
  const front = await startBalancer({ isReady: async () => true })
  const url = new URL(server.url)
  front.place('postgres', url)
  // One that is registered by a hook comes last: whoever uses it stops first.
  scope.after(async () =>
    scope.after(async () => {
      await front.stop()
      await server.stop()
    }),
  )
  const address = new URL(url)
  address.port = String(front.port)
  return {
    url: address.href,
    async outage(ms: number): Promise<void> {
      await server.stop()
      await delay(ms)
      server = await startEmbeddedPostgres({ dataDir })
      front.place('postgres', new URL(server.url))
    },
  }
}

async function withDatabase<T>(dataDir: string, service: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openEmbedded(dataDir, `pando_${service}`)
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

async function cutConnections(dataDir: string, count: number): Promise<number> {
  const admin = openEmbedded(dataDir, 'postgres')
  try {
    const [row] = await admin.query<{ cut: number }>(
      `select count(pg_terminate_backend(pid))::int as cut from
         (select pid from pg_stat_activity where datname like 'pando%' order by random() limit $1) chosen`,
      [count],
    )
    return row!.cut
  } catch {
    // It may be coming back at this moment.
    return 0
  } finally {
    await admin.close()
  }
}
