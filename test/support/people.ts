import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { SagaView } from '@pando/saga'
import { Client } from './client.ts'
import type { ServerEvent } from './sse.ts'
import { until } from './until.ts'

/** What somebody signs up with. */
export interface Newcomer {
  username: string
  password: string
  displayName: string
  email: string
}

/** Somebody who has an account and is logged in. */
export interface Person extends Newcomer {
  id: string
  /** The sign-up. */
  sagaId: string
  token: string
  client: Client
}

/** The answer to a sign-up. */
export type SignedUp = SagaView & { userId: string }

/** A sign-up that nobody else makes. */
export function newcomer(instead: Partial<Newcomer> = {}): Newcomer {
  const mark = randomBytes(5).toString('hex')
  return {
    username: `u.${mark}`,
    password: `secret-${mark}-${mark}`,
    displayName: `Person ${mark}`,
    email: `Mail.${mark}@example.org`,
    ...instead,
  }
}

/** The views in the frames of a saga's stream. */
export function viewsOf(events: readonly ServerEvent[]): SagaView[] {
  return events.filter(({ event }) => event === 'saga').map(({ data }) => JSON.parse(data) as SagaView)
}

/** Resolves with the saga's view when it has ended. */
export function sagaEnded(client: Client, path: string): Promise<SagaView> {
  return until(`the end of ${path}`, async () => {
    const { status, body, text } = await client.get<SagaView>(path)
    assert.equal(status, 200, text)
    return body.endedAt !== null && body
  })
}

/** Signs somebody up and logs them in. */
export async function person(url: string, instead: Partial<Newcomer> = {}): Promise<Person> {
  const who = newcomer(instead)
  const anybody = new Client(url)
  const { status, body, text } = await anybody.post<SignedUp>('/api/users', who)
  assert.equal(status, 202, text)
  const { status: end } = await sagaEnded(anybody, `/api/sagas/sign-up/${body.id}`)
  assert.equal(end, 'completed')
  const token = await logIn(url, who)
  return { ...who, id: body.userId, sagaId: body.id, token, client: new Client(url, { token }) }
}

/** The same where a short deadline may end a sign-up on a busy machine: then somebody else, five times at most. */
export async function personInTime(url: string): Promise<Person> {
  for (let tries = 1; ; tries++)
    try {
      return await person(url)
    } catch (thrown) {
      const isLate = thrown instanceof assert.AssertionError && thrown.actual === 'failed'
      if (!isLate || tries === 5) throw thrown
    }
}

/** Makes all of them friends of the first one. */
export async function befriend(who: Person, ...others: readonly Person[]): Promise<void> {
  for (const { id } of others) {
    const { status, text } = await who.client.put(`/api/friends/${id}`)
    assert.equal(status, 204, text)
  }
}

/** Logs somebody in once more; resolves with the access token of the new session. */
export async function logIn(
  url: string,
  { username, password }: Pick<Newcomer, 'username' | 'password'>,
): Promise<string> {
  const { status, body, text } = await new Client(url).post<{ accessToken: string }>('/api/sessions', {
    username,
    password,
  })
  assert.equal(status, 201, text)
  return body.accessToken
}
