import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../../test/support/postgres.ts'
import { isClean, type Verdict } from './checker/oracle.ts'
import { planOf, type Variant } from './checker/plan.ts'
import { type Outcome, runRound } from './checker/round.ts'
import { createWorld } from './checker/world.ts'
import { prepareStock } from './stock.ts'

// Writers, relays and consumers on a real PostgreSQL, killed and cut at random: nothing is lost, doubled or out of order. The same oracle
// must see two well-known mistakes. SEED=… runs the rounds of a seed again, CHECKER_ROUNDS=… more of them.

const ROUNDS = Number(process.env.CHECKER_ROUNDS ?? 3)
const WRONG_ROUNDS = 30
const SEED = Number(process.env.SEED ?? randomInt(1_000_000))
const ROUND_MS = 40_000

const worldOf = (t: TestContext, kind: 'memory' | 'postgres', variant: Variant) =>
  createWorld(kind, variant, (prepared) =>
    testDatabase(t, prepared ? { template: 'stock', migrate: prepareStock } : {}),
  )

function tell(t: TestContext, seed: number, { figures, verdicts }: Outcome): void {
  const events = Math.max(...[...verdicts.values()].map((verdict) => verdict.events))
  t.diagnostic(
    `SEED=${seed}: ${events} events, ${Object.entries(figures)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
  )
}

for (const kind of ['memory', 'postgres'] as const) {
  const right: [Variant, string, number][] = [
    ['right', 'nothing is lost, doubled or out of order', ROUNDS],
    ['fence alone', 'nothing is either without an inbox, as long as no relay repeats', Math.ceil(ROUNDS / 4)],
  ]
  for (const [variant, what, rounds] of right)
    test(`${what}, over the ${kind} transport`, { timeout: 20_000 + rounds * ROUND_MS }, async (t) => {
      const world = await worldOf(t, kind, variant)
      for (let seed = SEED; seed < SEED + rounds; seed++) {
        const plan = planOf(seed, variant)
        const again = `SEED=${seed} CHECKER_ROUNDS=1 (${JSON.stringify(plan)})`
        const outcome = await runRound(world, plan).catch((cause: unknown) => {
          throw new Error(`the round did not end: ${again}`, { cause })
        })
        tell(t, seed, outcome)
        for (const [whose, verdict] of outcome.verdicts)
          assert.ok(isClean(verdict), `${whose}: ${JSON.stringify(verdict)}; ${again}`)
        assert.deepEqual(outcome.surprises, [], again)
      }
    })

  const mistakes: [Variant, string, (verdict: Verdict) => boolean][] = [
    ['cursor relay', 'a relay that reads from a cursor loses events', ({ lost }) => lost > 0],
    ['no inbox', 'without an inbox events have their effect twice', ({ doubled }) => doubled > 0],
  ]
  for (const [variant, what, seen] of mistakes)
    test(
      `${what}, and the oracle sees it, over the ${kind} transport`,
      { timeout: WRONG_ROUNDS * ROUND_MS },
      async (t) => {
        const world = await worldOf(t, kind, variant)
        for (let seed = SEED; seed < SEED + WRONG_ROUNDS; seed++) {
          const outcome = await runRound(world, planOf(seed, variant))
          tell(t, seed, outcome)
          if ([...outcome.verdicts.values()].some(seen)) return
        }
        assert.fail(`the oracle saw nothing wrong in ${WRONG_ROUNDS} rounds from SEED=${SEED} on`)
      },
    )
}
