import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import { type Decide, decider } from './participant.ts'
import { simulate } from './simulate.ts'

// `SEEDS=100000` for a long night; `SEED=17` for that run alone, with all that happens in it.
const { SEED, SEEDS = 1_000 } = process.env
const seeds = SEED === undefined ? Array.from({ length: Number(SEEDS) }, (_, i) => i + 1) : [Number(SEED)]
const trace = SEED === undefined ? {} : { trace: (line: string): void => console.log(line) }

suite('the simulator', () => {
  const modes = {
    'the log keeps the order of each key': { ordered: true },
    'events come in any order': { ordered: false },
  }
  for (const [mode, options] of Object.entries(modes))
    test(`every saga ends, and no half of one is left, while ${mode}`, () => {
      const ends = new Set<string>()
      let late = 0
      for (const seed of seeds) {
        const run = simulate(seed, { ...options, ...trace })
        assert.deepEqual(run.faults, [], `seed ${seed} (SEED=${seed} runs it alone):\n${run.faults.join('\n')}`)
        for (const end of run.ends) ends.add(end)
        late += run.late
      }
      if (seeds.length < 500) return
      // A simulation that never meets these proves nothing about them.
      const reasons = ['user_exists', 'deadline'].map((reason) => `sign-up failed: ${reason}`)
      reasons.push(...['wallet_not_empty', 'deadline'].map((reason) => `account-deletion failed: ${reason}`))
      const all = ['sign-up completed', 'account-deletion completed', ...reasons]
      assert.deepEqual(
        all.filter((end) => !ends.has(end)),
        [],
      )
      if (!options.ordered) assert.ok(late > 0, 'no start came after the failure')
    })

  test('a seed gives the whole run', () => {
    const lines = (seed: number): string[] => {
      const all: string[] = []
      simulate(seed, { trace: (line) => all.push(line) })
      return all
    }
    assert.ok(lines(7).length > 20)
    assert.deepEqual(lines(7), lines(7))
    assert.notDeepEqual(lines(7), lines(8))
  })
})

// A test that cannot fail proves nothing: these participants do one thing wrong each, as real ones did.
suite('the simulator catches participants', () => {
  const right = decider({ says: true })
  const wrong: Record<string, { decide?: Decide; remembers?: boolean; ordered: boolean; fault: RegExp }> = {
    'without tombstones': {
      decide(before, happening) {
        const { after, answer } = right(before, happening)
        return { after: { ...after, tombstones: new Set() }, answer }
      },
      ordered: false,
      fault: /has a row of u\d made by sign-up-\d+, not by/,
    },
    'that undo what another saga made': {
      decide(before, happening) {
        const row = before.rows.get(happening.user)
        const careless = happening.what === 'fails' && row ? { ...row, madeBy: happening.saga } : row
        return right(
          careless ? { ...before, rows: new Map([...before.rows, [happening.user, careless]]) } : before,
          happening,
        )
      },
      ordered: true,
      fault: /has a row of u\d made by undefined, not by import/,
    },
    'that report a refusal as a success': {
      decide(before, happening) {
        const { after, answer } = right(before, happening)
        return { after, answer: answer && 'failed' in answer ? { done: true } : answer }
      },
      ordered: true,
      fault: /made by import, not by/,
    },
    'that delete first what they cannot restore': {
      decide(before, happening) {
        const { after, answer } = right(before, happening)
        if (happening.type !== 'account-deletion' || !answer || !('done' in answer)) return { after, answer }
        const rows = new Map(after.rows)
        rows.delete(happening.user)
        return { after: { ...after, rows }, answer }
      },
      ordered: true,
      fault: /made by undefined, not by sign-up/,
    },
    'without an inbox': { remembers: false, ordered: true, fault: /made by sign-up-\d+, not by/ },
  }
  for (const [what, { fault, ...options }] of Object.entries(wrong))
    test(what, (t) => {
      const found = (seed: number): boolean => simulate(seed, options).faults.some((sentence) => fault.test(sentence))
      const seed = Array.from({ length: 1_000 }, (_, i) => i + 1).find(found)
      assert.notEqual(seed, undefined, 'a thousand runs found nothing')
      t.diagnostic(`seed ${seed}: ${simulate(seed!, options).faults.join('; ')}`)
    })
})
