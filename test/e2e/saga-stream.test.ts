// The stream of a saga over HTTP: its wire form, its versions, resuming, and what it answers to ids that cannot be served.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem, Client, type EventStream } from '../support/client.ts'
import { newcomer, type SignedUp, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)

/** A sign-up that has completed, with the events of its whole stream. */
async function finished() {
  const { body } = await anybody.post<SignedUp>('/api/users', newcomer())
  const path = `/api/sagas/sign-up/${body.id}/events`
  return { path, id: body.id, events: await (await anybody.stream(path)).ended() }
}
const resume = (path: string, lastEventId: string): Promise<EventStream> =>
  anybody.stream(path, { headers: { 'last-event-id': lastEventId } })

test('the head and the first bytes are as promised, for the GET and for the POST', async () => {
  const { path } = await finished()
  for (const stream of [
    await anybody.stream(path),
    await anybody.stream('/api/users', { method: 'POST', body: newcomer() }),
  ]) {
    await stream.ended()
    const { status, headers, retry, comments, text } = stream
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(headers['cache-control'], 'no-cache, no-transform')
    assert.equal(headers['x-accel-buffering'], 'no')
    assert.equal(headers['content-encoding'], undefined)
    assert.ok(headers['x-request-id'])
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.match(text, /^retry: \d{4}\n:/)
    assert.ok(retry! >= 2_000 && retry! <= 5_000, String(retry))
    assert.ok(comments.length > 0)
  }
})

test('one event for each version, dense from 1 to the end; the last is the view that GET shows', async () => {
  const { events, id } = await finished()
  assert.ok(events.length >= 2)
  const views = viewsOf(events)
  assert.equal(views.length, events.length)
  const epoch = events[0]!.id!.slice(0, -2)
  assert.match(epoch, /^[0-9a-z]{1,32}$/)
  events.forEach((event, i) => {
    assert.equal(event.id, `${epoch}-${i + 1}`)
    assert.equal(views[i]!.version, i + 1)
    assert.ok(!event.data.includes('\n'))
    assert.equal(views[i]!.endedAt !== null, i === events.length - 1)
  })
  assert.deepEqual((await anybody.get(`/api/sagas/sign-up/${id}`)).body, views.at(-1))
})

test('from every id, by header and by query, exactly the rest; 204 after the last', async () => {
  const { path, events } = await finished()
  for (const [i, { id }] of events.entries()) {
    const streams = [await resume(path, id!), await anybody.stream(`${path}?lastEventId=${id}`)]
    for (const stream of streams) {
      const rest = await stream.ended()
      if (i === events.length - 1) assert.deepEqual([stream.status, stream.text], [204, ''])
      else assert.deepEqual([stream.status, rest], [200, events.slice(i + 1)])
    }
  }
  const both = await anybody.stream(`${path}?lastEventId=${events.at(-1)!.id}`, {
    headers: { 'last-event-id': events[0]!.id! },
  })
  assert.deepEqual(await both.ended(), events.slice(1), 'the header wins')
  const none = await resume(path, '')
  assert.deepEqual(await none.ended(), events, 'an empty id is none')
})

test('many clients resume a running saga at every id while it goes on: nothing is missing, nothing comes twice', async () => {
  const { headers, body } = await anybody.post<SignedUp>('/api/users', newcomer())
  const path = `${headers.location}/events`
  const { path: other, events: known } = await finished()
  const epoch = known[0]!.id!.slice(0, -2)
  const streams = await Promise.all(
    Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? anybody.stream(path) : resume(path, `${epoch}-1`))),
  )
  const whole = await (await anybody.stream(path)).ended()
  assert.equal(viewsOf(whole)[0]!.id, body.id)
  assert.notEqual(path, other)
  for (const [i, stream] of streams.entries())
    assert.deepEqual(await stream.ended(), i % 2 === 0 ? whole : whole.slice(1))
})

test('a malformed id is 400 before the stream starts', async () => {
  const { path, events } = await finished()
  const epoch = events[0]!.id!.slice(0, -2)
  const bad = [
    'garbage!',
    `${epoch}-`,
    `${epoch}-01`,
    `${epoch}--1`,
    `${epoch}-x`,
    `${epoch}- 1`,
    '-1',
    `${epoch.toUpperCase()}X-1`,
    'x'.repeat(65),
    `${epoch}-${'9'.repeat(17)}`,
    `${'e'.repeat(33)}-1`,
  ]
  for (const id of bad) {
    const streams = [await resume(path, id), await anybody.stream(`${path}?lastEventId=${encodeURIComponent(id)}`)]
    for (const stream of streams) {
      await stream.ended()
      assertProblem(stream, 400, 'validation_failed')
    }
  }
})

test('an id of another epoch or from the future: reset with a cursor that can be gone on from', async () => {
  const { path, events } = await finished()
  const last = events.at(-1)!.id!
  const epoch = last.slice(0, -2)
  for (const id of [`${epoch}x-1`, `${epoch}-999`, `${epoch}-${'9'.repeat(16)}`, 'other-0']) {
    const [first, ...rest] = await (await resume(path, id)).ended()
    assert.deepEqual(first, { event: 'reset', id: last, data: JSON.stringify({ cursor: last }) })
    assert.deepEqual(rest, [])
  }
  assert.equal((await resume(path, last)).status, 204)
})

test('a saga that is not there, and an id that is none, are not found', async () => {
  const { id } = await finished()
  const paths = ['019a0000-0000-7000-8000-00000000dead', '1', "'%20or%201=1--", '%00', id.toUpperCase()].map(
    (wrong) => `/api/sagas/sign-up/${wrong}`,
  )
  for (const path of [...paths, `/api/sagas/no-such-type/${id}`, `/api/sagas/account-deletion/${id}`]) {
    assertProblem(await anybody.get(path), 404, 'not_found')
    const stream = await anybody.stream(`${path}/events`)
    await stream.ended()
    assertProblem(stream, 404, 'not_found')
  }
})
