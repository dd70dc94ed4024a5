import { median, ms, quantile, rate, type Row, runs } from './row.ts'
import { type Log, startSagaSystem } from './saga-system.ts'

const BACKLOG = 20_000
const IN_FLIGHT = 64
const REPEATS = 3

interface Figures {
  alone: number
  aloneP99: number
  inFlight: number
  backlog: number
}

const NAMES: Record<Log, string> = { memory: 'log in memory', postgres: 'PostgreSQL log', kafka: 'Kafka' }
const TARGETS: Partial<Record<Log, { backlog: string; inFlight: string; alone: string }>> = {
  postgres: { backlog: '≥ 4,000/s, goal 5,000', inFlight: '≥ 550/s, goal 1,000', alone: '≤ 8 ms, goal 6' },
  kafka: { backlog: '≥ 2,400/s, goal 3,000', inFlight: '≥ 450/s', alone: '≤ 14 ms, goal 10' },
}

/** The sign-up saga through the library on these logs, interleaved; `brokers` are those of `kafka`. */
export async function library(
  clusterUrl: string,
  logs: readonly Log[] = ['postgres', 'memory'],
  brokers: readonly string[] = [],
): Promise<Row[]> {
  const all = new Map<Log, Figures[]>(logs.map((log) => [log, []]))
  for (let i = 0; i < REPEATS; i++)
    for (const log of logs) {
      const figures = await once(clusterUrl, log, brokers)
      all.get(log)!.push(figures)
      console.error(`library, ${log}, run ${i + 1}: ${JSON.stringify(figures)}`)
    }
  return logs.flatMap((log) => {
    const of = (figure: keyof Figures): number[] => all.get(log)!.map((figures) => figures[figure])
    const target = TARGETS[log]
    return [
      {
        what: `sign-up saga, library, ${NAMES[log]}: backlog of ${BACKLOG.toLocaleString('en')}`,
        value: rate(median(of('backlog'))),
        ...(target && { target: target.backlog }),
        detail: `five events, four databases, started by 100; runs ${runs(of('backlog'))}`,
      },
      {
        what: `the same, ${IN_FLIGHT} in flight`,
        value: rate(median(of('inFlight'))),
        ...(target && { target: target.inFlight }),
        detail: `a transaction for each start; runs ${runs(of('inFlight'))}`,
      },
      {
        what: 'the same, one at a time, p50',
        value: ms(median(of('alone'))),
        ...(target && { target: target.alone }),
        detail: `p99 ${ms(median(of('aloneP99')))}; runs ${runs(of('alone'), 1)}`,
      },
    ]
  })
}

async function once(clusterUrl: string, log: Log, brokers: readonly string[]): Promise<Figures> {
  const system = await startSagaSystem(clusterUrl, log, brokers)
  try {
    const one = async (): Promise<number> => {
      const from = performance.now()
      const [id] = await system.start(1)
      await system.ended(id!)
      return performance.now() - from
    }
    for (let i = 0; i < 50; i++) await one()
    const alone: number[] = []
    for (let i = 0; i < 300; i++) alone.push(await one())

    let left = 4_000
    let from = performance.now()
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (left-- > 0) await one()
      }),
    )
    const inFlight = 4_000 / ((performance.now() - from) / 1000)

    const before = system.completed()
    from = performance.now()
    for (let i = 0; i < BACKLOG; i += 100) await system.start(100)
    await system.reached(before + BACKLOG)
    const backlog = BACKLOG / ((performance.now() - from) / 1000)
    return { alone: median(alone), aloneP99: quantile(alone, 0.99), inFlight, backlog }
  } finally {
    await system.stop()
  }
}
