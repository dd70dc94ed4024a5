// The long form of test/cluster/chaos.test.ts: `npm run chaos -- --minutes 10 --seed 7`.
import { parseArgs } from 'node:util'
import { type ChaosOptions, runChaos } from '../test/support/chaos.ts'

const USAGE =
  'npm run chaos -- [--minutes N] [--seed N] [--clients N] [--log postgres|kafka], whole numbers from 1 (default 5 minutes, a random seed, 8 clients, the log in PostgreSQL)'

const hooks: (() => Promise<void>)[] = []
try {
  process.exitCode = await main()
} finally {
  // As node:test does: one that is registered by a hook comes last.
  for (let hook = hooks.shift(); hook; hook = hooks.shift()) await hook()
}

async function main(): Promise<number> {
  const options = read(process.argv.slice(2))
  if (!options) {
    console.error(`chaos: say ${USAGE}`)
    return 2
  }
  console.log(`seed ${options.seed}`)
  const { faults, counts } = await runChaos({ after: (hook) => void hooks.push(hook) }, options)
  for (const [what, times] of Object.entries(counts)) console.log(`${String(times).padStart(8)}  ${what}`)
  for (const fault of faults) console.log(`FAULT: ${fault}`)
  console.log(
    faults.length === 0 ? 'nothing lost, nothing doubled, nothing stuck, nothing half made' : `${faults.length} faults`,
  )
  console.log(`the same plan again: npm run chaos -- --seed ${options.seed}`)
  return faults.length === 0 ? 0 : 1
}

function read(args: string[]): ChaosOptions | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        clients: { type: 'string' },
        log: { type: 'string' },
      },
    })
    const whole = (text: string | undefined, otherwise: number): number => {
      if (text !== undefined && !/^[1-9]\d{0,8}$/.test(text)) throw new RangeError(text)
      return text === undefined ? otherwise : Number(text)
    }
    if (values.log !== undefined && values.log !== 'postgres' && values.log !== 'kafka')
      throw new RangeError(values.log)
    return {
      withKafka: values.log === 'kafka',
      seconds: 60 * whole(values.minutes, 5),
      seed: whole(values.seed, 1 + (Date.now() % 1_000_000)),
      clients: whole(values.clients, 8),
      outageMs: 10_000,
      say: (line) => console.log(line),
    }
  } catch {
    return undefined
  }
}
