import { remove, startPando, temporaryFolder } from './pando.ts'
import { median, ms, quantile, rate, type Row, runs } from './row.ts'
import { signUps } from './sign-ups.ts'
import { hashRate, hashRow } from './yardstick.ts'

const CHEAP = { PASSWORD_HASH_MEMORY_KIB: '1024', PASSWORD_HASH_PASSES: '1' }
const REPEATS = 3

/** In percent; each run beside the yardstick that was taken just before it. */
const shareOf = (rates: readonly number[], whole: readonly number[]): number =>
  median(rates.map((rate, i) => (100 * rate) / whole[i]!))

/** `POST /api/users` with its stream, over HTTP, to the last frame; and how long Pando takes to start. */
export async function http(): Promise<Row[]> {
  const folder = await temporaryFolder()
  const dataDir = `${folder}/data`
  try {
    const cheap: Awaited<ReturnType<typeof signUps>>[] = []
    const alone: Awaited<ReturnType<typeof signUps>>[] = []
    let pando = await startPando(dataDir, CHEAP)
    const cold = pando.readyMs
    await signUps(pando.url, { count: 500, concurrent: 50, run: 'warm' })
    for (let i = 0; i < REPEATS; i++) {
      cheap.push(await signUps(pando.url, { count: 10_000, concurrent: 1_000, run: `c${i}.` }))
      alone.push(await signUps(pando.url, { count: 200, concurrent: 1, run: `a${i}.` }))
      console.error(
        `http, cheap hashing, run ${i + 1}: ${JSON.stringify({ cheap: cheap.at(-1), alone: alone.at(-1) })}`,
      )
    }
    await pando.stop()

    const hashOnly: number[] = []
    const real: number[] = []
    pando = await startPando(dataDir)
    await signUps(pando.url, { count: 200, concurrent: 64, run: 'warm.' })
    let before = await hashRate(19_456, 2, 300)
    for (let i = 0; i < REPEATS; i++) {
      real.push((await signUps(pando.url, { count: 1_920, concurrent: 64, run: `r${i}.` })).perSecond)
      // What the machine does drifts within a minute.
      const after = await hashRate(19_456, 2, 300)
      hashOnly.push((before + after) / 2)
      before = after
      console.error(
        `http, real hashing, run ${i + 1}: ${JSON.stringify({ hashOnly: hashOnly.at(-1), real: real.at(-1) })}`,
      )
    }
    await pando.stop()

    const starts: number[] = []
    for (let i = 0; i < 5; i++) {
      pando = await startPando(dataDir)
      starts.push(pando.readyMs)
      await pando.stop()
    }

    const seconds = cheap.map(({ perSecond }) => 10_000 / perSecond)
    const lost = cheap.reduce((sum, run) => sum + run.lost, 0)
    return [
      {
        what: '10,000 sign-ups over HTTP to the last frame, 1,000 at once, cheap hashing',
        value: `${median(seconds).toFixed(1)} s (${rate(median(cheap.map(({ perSecond }) => perSecond)))})`,
        target: '≤ 10 s',
        detail: `lost ${lost}; runs ${runs(seconds, 1)} s`,
      },
      {
        what: 'their p99',
        value: ms(median(cheap.map(({ p99 }) => p99))),
        target: '≤ 1,500 ms',
        detail: `p50 ${ms(median(cheap.map(({ p50 }) => p50)))}`,
      },
      {
        what: 'one sign-up at a time over HTTP, cheap hashing, p50',
        value: ms(median(alone.map(({ p50 }) => p50))),
        detail: `p99 ${ms(median(alone.map(({ p99 }) => p99)))}`,
      },
      hashRow(median(hashOnly), '19 MiB, 2 passes'),
      {
        what: 'sign-ups over HTTP, 64 at once, real hashing',
        value: rate(median(real)),
        target: '≥ 85 % of hashing alone',
        detail: `${shareOf(real, hashOnly).toFixed(0)} %, median of ${runs(real.map((rate, i) => (100 * rate) / hashOnly[i]!))} %; runs ${runs(real, 1)}`,
      },
      {
        what: 'start on an existing DATA_DIR to ready',
        value: ms(median(starts)),
        target: '≤ 3,000 ms',
        detail: `slowest ${ms(quantile(starts, 1))}; with an empty one ${ms(cold)}`,
      },
    ]
  } finally {
    await remove(folder)
  }
}
