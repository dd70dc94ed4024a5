import { median, ms, quantile, rate, type Row, runs } from './row.ts'
import { startSagaSystem } from './saga-system.ts'

const BACKLOG = 20_000
const IN_FLIGHT = 64
const REPEATS = 3

interface Figures {
  alone: number
  aloneP99: number
  inFlight: number
  backlog: number
}

/** The sign-up saga through the library on both transports, interleaved. */
export async function library(clusterUrl: string): Promise<Row[]> {
  const all: Record<'memory' | 'postgres', Figures[]> = { memory: [], postgres: [] }
  for (let i = 0; i < REPEATS; i++)
    for (const kind of ['memory', 'postgres'] as const) {
      all[kind].push(await once(clusterUrl, kind))
      console.error(`library, ${kind}, run ${i + 1}: ${JSON.stringify(all[kind].at(-1))}`)
    }
  const rows: Row[] = []
  for (const kind of ['postgres', 'memory'] as const) {
    const of = (figure: keyof Figures): number[] => all[kind].map((figures) => figures[figure])
    const name = kind === 'postgres' ? 'PostgreSQL log' : 'log in memory'
    const isTarget = kind === 'postgres'
    rows.push(
      {
        what: `sign-up saga, library, ${name}: backlog of ${BACKLOG.toLocaleString('en')}`,
        value: rate(median(of('backlog'))),
        ...(isTarget && { target: '≥ 4,000/s, goal 5,000' }),
        detail: `five events, four databases, started by 100; runs ${runs(of('backlog'))}`,
      },
      {
        what: `the same, ${IN_FLIGHT} in flight`,
        value: rate(median(of('inFlight'))),
        ...(isTarget && { target: '≥ 550/s, goal 1,000' }),
        detail: `a transaction for each start; runs ${runs(of('inFlight'))}`,
      },
      {
        what: 'the same, one at a time, p50',
        value: ms(median(of('alone'))),
        ...(isTarget && { target: '≤ 8 ms, goal 6' }),
        detail: `p99 ${ms(median(of('aloneP99')))}; runs ${runs(of('alone'), 1)}`,
      },
    )
  }
  return rows
}

async function once(clusterUrl: string, kind: 'memory' | 'postgres'): Promise<Figures> {
  const system = await startSagaSystem(clusterUrl, kind)
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
