import { setTimeout as pause } from 'node:timers/promises'
import { createDatabase, type Database, type Transport } from '../../src/index.ts'
import type { Random } from '../../src/random.ts'
import type { Plan } from './plan.ts'

/** Counts the faults that happened, and lets them happen only while `on`. */
export interface Weather {
  on: boolean
  killed: number
  cut: number
  unpublished: number
}

const lost = (): Error => Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' })
const CUT = 'select pg_terminate_backend(pg_backend_pid())'

/** A database whose connections are lost inside transactions, before a commit, or behind it, so that its answer does not arrive. */
export function cutting(
  db: Database,
  random: Random,
  { cuts: [inside, before, behind] }: Plan,
  weather: Weather,
): Database {
  const hits = (chance: number): boolean => {
    if (!weather.on || !random.chance(chance)) return false
    weather.cut++
    return true
  }
  return {
    ...db,
    async lease() {
      const leased = await db.lease()
      return {
        ...leased,
        async query(text, values) {
          if (hits(inside)) await leased.query(CUT)
          return leased.query<never>(text, values)
        },
        async commit() {
          if (hits(before)) await leased.query(CUT)
          await leased.commit()
          if (hits(behind)) throw lost()
        },
      }
    },
  }
}

/** A transport whose publishes fail, before they have written or after: what was published is then not deleted, and comes again. */
export function failing(transport: Transport, random: Random, plan: Plan, weather: Weather): Transport {
  const [before, after] = plan.publishFails
  const fail = (chance: number): void => {
    if (!weather.on || !random.chance(chance)) return
    weather.unpublished++
    throw lost()
  }
  return {
    ...transport,
    async publish(records) {
      if (records.length > 0) fail(before)
      await transport.publish(records)
      if (records.length > 0) fail(after)
    },
  }
}

/** Terminates connections to these databases, any of them, until the weather is off. */
export async function kill(
  url: string,
  names: readonly string[],
  random: Random,
  plan: Plan,
  weather: Weather,
): Promise<void> {
  const db = createDatabase({ connectionString: url, max: 1, applicationName: 'killer' })
  try {
    while (weather.on) {
      await pause(plan.killEveryMs * (0.5 + random.next()))
      const backends = await db.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = any($1::text[]) and application_name <> 'killer'
         order by datname, application_name, backend_start`,
        [names],
      )
      if (!weather.on || backends.length === 0) continue
      await db.query('select pg_terminate_backend($1)', [random.pick(backends).pid])
      weather.killed++
    }
  } finally {
    await db.close()
  }
}
