// The short form of `npm run chaos`: one round on each log. SEED=… repeats what is done (not the timing).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChaos } from '../support/chaos.ts'
import { noOwnKafka } from '../support/kafka.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

for (const withKafka of [false, true])
  test(
    `everything dies that can, two of each under load${withKafka ? ', events through Kafka' : ''}: nothing is lost, SEED=${seed}`,
    { timeout: 900_000, skip: withKafka && noOwnKafka },
    async (t) => {
      const say = (line: string): void => console.log(line)
      const options = { seed, seconds: 0, outageMs: 4_000, clients: 8, withKafka, say }
      const { faults, counts } = await runChaos(t, options)
      console.log(JSON.stringify(counts))
      assert.deepEqual(faults, [])
      for (const what of ['completed', 'deleted', 'of these resumed']) assert.ok(counts[what]! > 0, what)
    },
  )
