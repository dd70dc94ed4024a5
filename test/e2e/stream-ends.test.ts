// What ends a user's stream: a log-out, the end of the account, wherever they happen, with and without hints between the instances.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { SagaView } from '@pando/saga'
import { assertProblem, Client, type EventStream } from '../support/client.ts'
import { logIn, person, type Person, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const WITHIN_MS = 60_000

const system = await startSystem({ after })
const other = await system.join(['notification'])

async function open(token: string, url: string): Promise<EventStream> {
  const stream = await new Client(url, { token }).stream('/api/stream')
  return stream.until('the first bytes', ({ retry }) => retry !== undefined)
}
const isOpen = (stream: EventStream): boolean => !stream.hasEnded
/** Somebody with two sessions, each with a stream at each instance. */
async function everywhere(): Promise<{ who: Person; second: string; own: EventStream[]; others: EventStream[] }> {
  const who = await person(system.url)
  const second = await logIn(system.url, who)
  const streams = (token: string) => Promise.all([open(token, system.url), open(token, other.url)])
  return { who, second, own: await streams(who.token), others: await streams(second) }
}

for (const hints of ['heard', 'lost'])
  test(`a log-out ends the streams of that session on every instance, when hints are ${hints}`, async (t) => {
    if (hints === 'lost') for (const { transport } of [system, other]) t.mock.method(transport, 'hint', () => {})
    const { who, second, own, others } = await everywhere()
    assert.equal((await who.client.delete('/api/sessions')).status, 204)
    await Promise.all(own.map((stream) => stream.ended(hints === 'heard' ? 5_000 : WITHIN_MS)))
    assert.deepEqual(others.map(isOpen), [true, true])
    // The token is good until it ends, but begins no stream any more.
    await until(
      'no new stream',
      async () => {
        const again = await new Client(other.url, { token: who.token }).stream('/api/stream')
        again.close()
        return again.status === 401
      },
      WITHIN_MS,
    )
    assert.equal((await who.client.get('/api/notifications/summary')).status, 200)
    assert.equal((await new Client(system.url, { token: second }).delete('/api/sessions/all')).status, 204)
    await Promise.all(others.map((stream) => stream.ended(hints === 'heard' ? 5_000 : WITHIN_MS)))
  })

test('whoever changes the password, or logs a device out, keeps the streams of the session that did it', async () => {
  const { who, own, others } = await everywhere()
  const answer = await who.client.put('/api/me/password', {
    currentPassword: who.password,
    newPassword: 'quite another password',
  })
  assert.equal(answer.status, 204)
  await Promise.all(others.map((stream) => stream.ended(5_000)))
  assert.deepEqual(own.map(isOpen), [true, true])
  for (const stream of own) stream.close()
})

for (const hints of ['heard', 'lost'])
  test(`the end of the account ends its streams everywhere, but not the one that shows it, when hints are ${hints}`, async (t) => {
    if (hints === 'lost') for (const { transport } of [system, other]) t.mock.method(transport, 'hint', () => {})
    const { who, own, others } = await everywhere()
    const stranger = await person(system.url)
    const strangers = await open(stranger.token, other.url)
    const { status, headers } = await who.client.delete<SagaView>('/api/me', { password: who.password })
    assert.equal(status, 202)
    const showing = await who.client.stream(`${headers.location}/events`)
    await Promise.all([...own, ...others].map((stream) => stream.ended(WITHIN_MS)))
    assert.equal(viewsOf(await showing.ended()).at(-1)?.status, 'completed')
    for (const stream of hints === 'heard' ? [...own, ...others] : []) {
      const views = stream.events
        .filter(({ event }) => event === 'saga.changed')
        .map(({ data }) => JSON.parse(data) as SagaView)
      assert.deepEqual(
        views.map(({ version }) => version),
        [1, 2, 3, 4],
        'it was shown to its end',
      )
      assert.equal(views.at(-1)?.status, 'completed')
    }
    assert.equal(isOpen(strangers), true)
    strangers.close()
    for (const url of [system.url, other.url])
      assertProblem(await new Client(url, { token: who.token }).get('/api/stream'), 401, 'unauthenticated')
  })
