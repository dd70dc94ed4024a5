import type { NewEvent, SagaDefinition } from '@pando/saga'
import { createRandom } from '@pando/saga/testing'
import { accountDeletion, signUp } from '../example-sagas.ts'
import { createInitiator, type Initiated } from './initiator.ts'
import { createLog, type Message } from './log.ts'
import { faultsOfRun } from './oracle.ts'
import { type Answer, type Decide, decider, type Happening, type Holdings, type Row } from './participant.ts'
import { type Chaos, createService, type Outcome } from './service.ts'

const DEFINITIONS: readonly SagaDefinition[] = [signUp, accountDeletion]
const PARTICIPANTS = ['chat', 'customer'] as const

export interface Run {
  /** What is wrong at the end, as sentences. */
  faults: string[]
  /** How the sagas ended: `sign-up completed`, `account-deletion failed: deadline`, … */
  ends: string[]
  /** How many starts found a tombstone. */
  late: number
}

const CALM: Chaos = { crash: 0, again: 0, republish: 0, park: 0, abandon: 0 }
const START = Date.UTC(2026, 0, 1)

/**
 * A run of a user, a chat and a customer service that the seed decides wholly: people sign up, again after a failure, and leave; answers
 * are late, doubled, in any order between services; services die, keys are parked. Then everything calms down, and the oracle looks.
 * `ordered: false` breaks even what the log promises: the events of one key arrive in any order. `decide` are other participants,
 * `remembers: false` services without an inbox: to see that they fail.
 */
export function simulate(
  seed: number,
  options: { ordered?: boolean; decide?: Decide; remembers?: boolean; trace?: (line: string) => void } = {},
): Run {
  const random = createRandom(seed)
  const { ordered = true, remembers = true, decide = decider({ says: random.chance(0.5) }), trace = () => {} } = options
  const chaos: Chaos = {
    crash: random.pick([0, 0.05, 0.2]),
    again: random.next(),
    republish: random.pick([0, 0.1, 0.3]),
    park: random.pick([0, 0, 0.03, 0.1]),
    abandon: random.pick([0, 0.5]),
  }
  const log = createLog({ random, ordered })
  const shared = { log, random, chaos, trace, remembers, starts }
  const initiator = createInitiator(DEFINITIONS)
  const users = Array.from({ length: 1 + random.below(4) }, (_, i) => `u${i + 1}`)
  const user = createService<Initiated>({
    ...shared,
    name: 'user',
    reads: PARTICIPANTS,
    state: { sagas: new Map(), accounts: new Map(users.map((name) => [name, 'none'])) },
    hear: initiator.hear,
  })
  // Some have a row already that none of these sagas made, and must keep it.
  const strangers = new Map<string, Row>(
    users.flatMap((name) => (random.chance(0.1) ? [[name, { madeBy: 'import', heldBy: null, money: 0 }]] : [])),
  )
  const participants = PARTICIPANTS.map((name, i) =>
    createService<Holdings>({
      ...shared,
      name,
      reads: ['user'],
      state: { rows: i === 0 ? strangers : new Map(), tombstones: new Set() },
      hear(before, message) {
        if (starts(message) && before.tombstones.has(message.sagaId)) late++
        return hear(name, decide, before, message)
      },
    }),
  )
  const services = [user, ...participants]
  let now = START
  let begun = 0
  let late = 0

  function begin(): void {
    const name = random.pick(users)
    const account = user.state.accounts.get(name)
    const type = account === 'none' ? 'sign-up' : account === 'active' ? 'account-deletion' : undefined
    if (type === undefined || begun >= 12) return
    const id = `${type}-${begun + 1}`
    if (user.act(`starting ${id} of ${name}`, () => initiator.start(user.state, type, id, name, now))) begun++
  }

  function expire(): boolean {
    const due = initiator.due(user.state, now)
    for (const id of due) user.act(`the deadline of ${id}`, () => initiator.expire(user.state, id, now))
    return due.length > 0
  }

  function earn(): void {
    const wallets = participants[1]!
    const name = random.pick(users)
    const row = wallets.state.rows.get(name)
    // Money moves in wallets in use, not in closed ones.
    if (row && row.heldBy === null)
      wallets.act(`${name}'s money`, () => ({
        state: {
          ...wallets.state,
          rows: new Map([...wallets.state.rows, [name, { ...row, money: random.pick([0, 0, 500]) }]]),
        },
        says: [],
      }))
  }

  // Some services are slower than others; a slow one answers after the deadline.
  const speeds = services.map(() => random.pick([1, 1, 0.3, 0.05]))
  const pace = random.pick([100, 1_000, 10_000])
  for (let left = 50 + random.below(600); left > 0; left--) {
    const at = random.below(services.length)
    const service = services[at]!
    const what = random.below(20)
    if (what < 2) begin()
    else if (what < 4) now += random.below(pace)
    else if (what < 5) expire()
    else if (what < 6) earn()
    else if (!random.chance(speeds[at]!)) continue
    else if (what < 12) service.relay(1 + random.below(4))
    else if (what < 19) service.poll(now, 1 + random.below(6))
    else service.redrive(now)
  }

  trace('now all calms down')
  Object.assign(chaos, CALM)
  const settle = (): boolean => {
    for (let rounds = 0; rounds < 100; rounds++) {
      const moved = services.map((service) => [service.relay(100), service.poll(now, 100), service.redrive(now)])
      if (!moved.flat().includes(true)) return true
    }
    return false
  }
  const settled = [settle()]
  // Past every deadline, also of what began last.
  now += 120_000
  expire()
  settled.push(settle())

  const rows = new Map(participants.map(({ name, state }) => [name, state.rows]))
  return {
    faults: [
      ...(settled.includes(false) ? ['it does not come to rest'] : []),
      ...faultsOfRun({ definitions: DEFINITIONS, told: user.state, rows, strangers: new Map([['chat', strangers]]) }),
    ],
    ends: [...user.state.sagas.values()].map(
      ({ state: { view } }) => `${view.type} ${view.status}${view.reason === null ? '' : `: ${view.reason}`}`,
    ),
    late,
  }
}

const starts = ({ type }: Message): boolean => DEFINITIONS.some((definition) => definition.starts.type === type)

function hear(
  name: (typeof PARTICIPANTS)[number],
  decide: Decide,
  before: Holdings,
  message: Message,
): Outcome<Holdings> {
  const definition = DEFINITIONS.find(({ type }) => type === message.sagaType)!
  const what = (['starts', 'completes', 'fails'] as const).find((end) => definition[end]?.type === message.type)!
  const type = message.sagaType as Happening['type']
  const { after, answer } = decide(before, { saga: message.sagaId, type, what, user: message.key })
  const event = answer && answerOf(definition.steps[name]!, answer, message.key)
  return { state: after, says: event ? [{ event, saga: message }] : [] }
}

function answerOf(step: SagaDefinition['steps'][string], answer: NonNullable<Answer>, userId: string): NewEvent {
  if ('failed' in answer) return { kind: step.failed!, data: { userId, reason: answer.failed } }
  return { kind: 'done' in answer ? step.done : step.undone!, data: { userId } }
}
