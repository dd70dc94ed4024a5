// People who ask a cluster, whose addresses come and go, until they have an answer, as good clients do.
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '@pando/saga/testing'
import { type Answer, Client } from './client.ts'
import { logIn, type Person, personInTime } from './people.ts'
import { until } from './until.ts'

const GIVE_UP_MS = 120_000
const TOKEN_MS = 600_000

export interface Caller {
  readonly person: Person
  token: string
  tokenSince: number
}

export interface Callers {
  /** So many newcomers. */
  join(count: number): Promise<Caller[]>
  /** Where to ask now, and with which token. */
  access(caller: Caller): Promise<{ url: string; token: string }>
  /** Asks until there is an answer that says something; 503, undefined and no answer at all say nothing. */
  ask<Body>(caller: Caller, what: (client: Client) => Promise<Answer<Body> | undefined>): Promise<Answer<Body>>
}

/** `urls` are asked anew for each request; while there are none, those count that there were. `onRepeat` is told of what is asked twice. */
export function createCallers({
  random,
  urls,
  onRepeat = () => {},
}: {
  random: Random
  urls: () => readonly string[]
  onRepeat?: () => void
}): Callers {
  let known = urls()
  const url = (): string => {
    const now = urls()
    if (now.length > 0) known = now
    return random.pick([...known])
  }

  async function renew(caller: Caller): Promise<void> {
    if (Date.now() - caller.tokenSince <= TOKEN_MS) return
    caller.token = await logIn(url(), caller.person)
    caller.tokenSince = Date.now()
  }

  return {
    async join(count) {
      const people = await Promise.all(Array.from({ length: count }, () => personInTime(url())))
      return people.map((person) => ({ person, token: person.token, tokenSince: Date.now() }))
    },
    async access(caller) {
      await renew(caller)
      return { url: url(), token: caller.token }
    },
    ask(caller, what) {
      let tries = 0
      return until(
        'an answer',
        async () => {
          if (tries++ > 0) await delay(100)
          await renew(caller).catch(() => {})
          const answer = await what(new Client(url(), { token: caller.token })).catch(() => undefined)
          if (tries === 2) onRepeat()
          return answer && answer.status !== 503 && answer
        },
        GIVE_UP_MS,
      )
    },
  }
}
