// Clients of Pando that sign up, look on, log in and leave, all at once, and remember what they were told.
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '@pando/saga/testing'
import { type Answer, Client, type EventStream } from './client.ts'
import { type Newcomer, newcomer, type Person, type SignedUp, viewsOf } from './people.ts'
import type { Scope } from './postgres.ts'
import type { ServerEvent } from './sse.ts'

const NO_ANSWER = 'no answer'
// Longer than any saga may take, with everything away in turn, so that one that hangs shows.
const FOLLOW_MS = 120_000

/** Somebody who asked for an account, and what the answers said. */
export interface Guest {
  readonly who: Newcomer
  /** Of the sign-up; undefined while nobody answered. */
  sagaId?: string
  userId?: string
  /** What a stream of the sign-up has shown so far. */
  versions: readonly number[]
  lastEventId?: string
  /** Its stream was read to its end, over so many breaks. */
  followed?: { breaks: number }
  /** The account's deletion was asked for. */
  leaving?: { token: string; sagaId?: string }
}

/** Somebody who has come already, as the oracle knows guests. */
export const guestOf = ({ id, sagaId, username, password, displayName, email }: Person): Guest => ({
  who: { username, password, displayName, email },
  sagaId,
  userId: id,
  versions: [],
})

export interface Load {
  readonly guests: readonly Guest[]
  /** Answers that no client may get, as sentences. */
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
  /** How many requests were answered, in whatever way. */
  answers(): number
  /**
   * Goes on at this address, or at whichever of several, asked for each time, until stopped: nothing new is asked from that very moment
   * on; resolves when all have had their answers, and the streams that are followed have ended.
   */
  at(url: string | (() => readonly string[])): { stop(): Promise<void> }
}

/** `clients` at once, each with one request after the other, chosen by `random`; at the latest the end of the test stops them. */
export function createLoad(scope: Scope, { random, clients }: { random: Random; clients: number }): Load {
  const guests: Guest[] = []
  const faults: string[] = []
  const counts: Record<string, number> = {}
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1)
  const some = (wanted: (guest: Guest) => boolean): Guest | undefined => {
    // A few tries only: it is no fault when there is none.
    for (let i = 0; i < 5 && guests.length > 0; i++) {
      const guest = random.pick(guests)
      if (wanted(guest)) return guest
    }
    return undefined
  }
  const newGuest = (): Guest => {
    const guest: Guest = { who: newcomer({ username: `guest${guests.length}` }), versions: [] }
    guests.push(guest)
    return guest
  }

  /** Whether it is the answer that was hoped for; any but those, and 503 with Retry-After, is a fault. */
  function is(
    status: number,
    what: string,
    answer: Pick<Answer<unknown>, 'status' | 'headers' | 'text'>,
    others: readonly number[] = [],
  ): boolean {
    count(`${what} ${answer.status}`)
    const isBusy = answer.status === 503 && Number(answer.headers['retry-after']) > 0
    if (answer.status !== status && !others.includes(answer.status) && !isBusy)
      faults.push(`${what}: ${answer.status} ${answer.text}`)
    return answer.status === status
  }

  const keyOf = ({ who }: Guest) => ({ 'idempotency-key': who.username })

  async function signUp(client: Client): Promise<void> {
    const guest = newGuest()
    const answer = await client.post<SignedUp>('/api/users', guest.who, keyOf(guest))
    if (is(202, 'sign-up', answer)) accept(guest, answer.body)
  }

  async function signUpAndWatch(client: Client): Promise<void> {
    const guest = newGuest()
    const stream = await client.stream('/api/users', { method: 'POST', body: guest.who, headers: keyOf(guest) })
    if (stream.status === 200) guest.sagaId = stream.headers.location!.split('/').at(-1)!
    await watch(guest, stream, 'sign-up with stream')
  }

  /** Asks again, with the same key, where the answer was lost: it may say that the first attempt still runs, never that the name is taken. */
  async function askAgain(client: Client): Promise<void> {
    const guest = some(({ sagaId }) => sagaId === undefined)
    const answer = guest && (await client.post<SignedUp & { code?: string }>('/api/users', guest.who, keyOf(guest)))
    if (answer && is(202, 'sign-up again', answer, answer.body.code === 'conflict' ? [409] : []))
      accept(guest!, answer.body)
  }

  function accept(guest: Guest, { id, userId }: SignedUp): void {
    if (guest.sagaId !== undefined && guest.sagaId !== id)
      faults.push(`${guest.who.username} was told of two sign-ups: ${guest.sagaId} and ${id}`)
    guest.sagaId = id
    guest.userId = userId
  }

  async function resume(client: Client): Promise<void> {
    const guest = some(({ lastEventId }) => lastEventId !== undefined)
    if (!guest) return
    // Others may resume from there at the same time; each gets exactly the rest.
    const seen = guest.versions
    const stream = await client.stream(`/api/sagas/sign-up/${guest.sagaId}/events`, {
      headers: { 'last-event-id': guest.lastEventId! },
    })
    await watch(guest, stream, 'resume', seen)
  }

  /** What comes until it ends or breaks. That it does neither is a fault: nobody may be left to wait. */
  async function endOf(stream: EventStream, what: string): Promise<ServerEvent[]> {
    try {
      return await stream.ended(FOLLOW_MS)
    } catch (thrown) {
      faults.push(`${what}: ${String(thrown)}`)
      throw thrown
    }
  }

  /** Reads a stream that goes on after the versions that were `seen`. */
  async function watch(guest: Guest, stream: EventStream, what: string, seen: readonly number[] = []): Promise<void> {
    const events = await endOf(stream, `${what} of ${guest.sagaId}`)
    const versions = [...seen, ...viewsOf(events).map(({ version }) => version)]
    if (versions.some((version, i) => version !== i + 1))
      faults.push(`${what}: versions ${versions.join()} of ${guest.sagaId}`)
    if (versions.length > guest.versions.length) {
      guest.versions = versions
      guest.lastEventId = events.at(-1)!.id!
    }
    // Seen to its end already, or gone with the account.
    is(200, what, stream, what === 'resume' ? [204, ...(guest.leaving ? [404] : [])] : [])
  }

  /**
   * Signs up here and reads the stream there, and after each break elsewhere, from where it broke. It has to end once nothing dies any
   * more, which is when the load is stopped.
   */
  async function signUpAndFollow(client: Client, elsewhere: () => Client, stoppedAt: () => number): Promise<void> {
    const guest = newGuest()
    const answer = await client.post<SignedUp>('/api/users', guest.who, keyOf(guest))
    if (!is(202, 'sign-up', answer)) return
    accept(guest, answer.body)
    const path = `/api/sagas/sign-up/${guest.sagaId}/events`
    const versions: number[] = []
    let lastId: string | undefined
    for (let breaks = 0; ; breaks++) {
      const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId }
      const stream = await elsewhere()
        .stream(path, { headers })
        .catch(() => undefined)
      const events = stream ? await endOf(stream, `follow of ${guest.sagaId}`) : []
      const views = viewsOf(events)
      versions.push(...views.map(({ version }) => version))
      lastId = events.findLast(({ id }) => id !== undefined)?.id ?? lastId
      if (stream) is(200, 'follow', stream, [204, ...(guest.leaving ? [404] : [])])
      else count(NO_ANSWER)
      if (versions.some((version, i) => version !== i + 1))
        faults.push(`follow: versions ${versions.join()} of ${guest.sagaId}`)
      if (stream?.status === 404) return
      if (stream?.status === 204 || views.at(-1)?.endedAt) {
        guest.versions = versions
        guest.followed = { breaks }
        return
      }
      if (Date.now() > stoppedAt() + FOLLOW_MS)
        return void faults.push(`follow: ${guest.sagaId} did not end, versions ${versions.join()}`)
      await delay(100)
    }
  }

  async function logIn(client: Client, guest: Guest): Promise<string | undefined> {
    const { username, password } = guest.who
    const answer = await client.post<{ accessToken: string }>('/api/sessions', { username, password })
    // Not there yet, failed, or gone again.
    return is(201, 'log-in', answer, [401]) ? answer.body.accessToken : undefined
  }

  async function look(client: Client): Promise<void> {
    const guest = some(({ sagaId, leaving }) => sagaId !== undefined && !leaving)
    const token = guest && (await logIn(client, guest))
    if (token === undefined) return
    const answer = await new Client(client.url, { token }).get<{ balance: number }>('/api/me/wallet')
    // Meanwhile somebody may have had the account deleted.
    if (is(200, 'wallet', answer, guest!.leaving ? [401, 404] : []) && answer.body.balance !== 0)
      faults.push(`wallet: ${answer.text}`)
  }

  async function leave(client: Client): Promise<void> {
    const guest = some(({ sagaId, leaving }) => sagaId !== undefined && !leaving)
    const token = guest && (await logIn(client, guest))
    if (token === undefined || guest!.leaving) return
    guest!.leaving = { token }
    const answer = await new Client(client.url, { token }).delete<SignedUp>('/api/me', {
      password: guest!.who.password,
    })
    if (is(202, 'deletion', answer)) guest!.leaving.sagaId = answer.body.id
  }

  const actions: readonly ((client: Client, elsewhere: () => Client, stoppedAt: () => number) => Promise<void>)[] = [
    signUp,
    signUp,
    signUp,
    signUp,
    signUpAndWatch,
    signUpAndWatch,
    signUpAndWatch,
    askAgain,
    look,
    leave,
    resume,
  ]
  /** Where there is somewhere else to go on when one address is dead. */
  const amongSeveral = [...actions, signUpAndFollow, signUpAndFollow]

  return {
    guests,
    faults,
    counts,
    answers: () => Object.entries(counts).reduce((sum, [what, times]) => sum + (what === NO_ANSWER ? 0 : times), 0),
    at(url) {
      let stoppedAt = Infinity
      scope.after(async () => void (stoppedAt = Math.min(stoppedAt, Date.now())))
      let turn = 0
      // All of them at the moment, one after the other; when there is none, the last one that there was.
      let urls = typeof url === 'string' ? [url] : url()
      const next = (): Client => {
        const now = typeof url === 'string' ? urls : url()
        if (now.length > 0) urls = now
        return new Client(urls[turn++ % urls.length]!)
      }
      const goOn = async (): Promise<void> => {
        while (stoppedAt === Infinity) {
          const client = next()
          const elsewhere = (): Client => {
            const other = next()
            return other.url === client.url ? next() : other
          }
          await random
            .pick(typeof url === 'string' ? actions : amongSeveral)(client, elsewhere, () => stoppedAt)
            .catch(() => {
              count(NO_ANSWER)
              // Nobody there, perhaps: no reason to ask a thousand times a second.
              return delay(20)
            })
        }
      }
      const done = Promise.all(Array.from({ length: clients }, goOn))
      return {
        async stop() {
          stoppedAt = Date.now()
          await done
        },
      }
    },
  }
}
