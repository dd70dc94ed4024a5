// The parts of `npm run demo` that need no Pando: how it waits, what it shows, and that its posts can be told apart.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createClient } from '../../tools/demo/client.ts'
import { PEOPLE } from '../../tools/demo/people.ts'
import { draftOf, POSTS_AT_MOST } from '../../tools/demo/posts.ts'
import { createProgress, type Outcome } from '../../tools/demo/progress.ts'

/** Answers each request with the next of these; the last one stays. */
async function answering(t: TestContext, ...answers: ((response: ServerResponse) => void)[]) {
  let asked = 0
  const server = createServer((request, response) => {
    request.resume()
    answers[Math.min(asked++, answers.length - 1)]!(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const waited: number[] = []
  const ask = createClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    onWait: () => {},
    wait: async (ms) => void waited.push(ms),
  })
  return { ask, waited }
}

const problem =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end(JSON.stringify({ title: 'No', detail: 'Not now.', code, status }))

test('what is refused for a while is asked again when that is over', async (t) => {
  const { ask, waited } = await answering(
    t,
    problem(429, 'rate_limited', { 'retry-after': '7' }),
    problem(503, 'unavailable', { 'retry-after': '1' }),
    (response) => response.end('{"items":[]}'),
  )
  assert.deepEqual((await ask('GET', '/api/posts')).body, { items: [] })
  assert.deepEqual(waited, [7_000, 1_000])
})

test('it waits neither for a day nor for ever', async (t) => {
  const day = await answering(t, problem(429, 'rate_limited', { 'retry-after': '86400' }))
  await assert.rejects(day.ask('POST', '/api/images'), { message: 'POST /api/images: Not now. [429]' })
  assert.deepEqual(day.waited, [])
  const ever = await answering(t, problem(429, 'rate_limited', { 'retry-after': '1' }))
  await assert.rejects(ever.ask('GET', '/api/me'), { message: 'GET /api/me: Not now. [429]' })
  assert.equal(ever.waited.length, 20)
})

test('a problem is an answer where it is expected, and an error where it is not', async (t) => {
  const { ask } = await answering(t, problem(409, 'post_not_open'))
  assert.equal((await ask('POST', '/api/rooms', { allow: ['post_not_open'] })).code, 'post_not_open')
  await assert.rejects(ask('POST', '/api/rooms', { allow: ['forbidden'] }), {
    message: 'POST /api/rooms: Not now. [409]',
  })
})

async function shown(isTTY: boolean): Promise<string> {
  let text = ''
  const progress = createProgress({ isTTY, write: (piece) => (text += piece) })
  const outcomes: Outcome[] = ['new', 'there', 'left out', 'new']
  await progress.each('posts', outcomes, async (outcome) => {
    if (outcome === 'there') progress.waits(9)
    return outcome
  })
  return text
}

test('progress is plain lines where nothing can move, and one line that moves on a terminal', async () => {
  const end = 'posts: 2 new, 1 there already, 1 left out\n'
  assert.equal(await shown(false), `posts: 1 of 4, on in 9 s (Pando limits requests)\n${end}`)
  const moving = await shown(true)
  assert.ok(moving.endsWith(`\r\u001b[2K${end}`))
  assert.equal(moving.split('\n').length, 2)
  assert.equal(moving.split('\r').length, 7)
})

test('every post of a language has a title of its own, and is the same in every run', () => {
  for (const language of ['ko', 'en'] as const) {
    const drafts = Array.from({ length: POSTS_AT_MOST }, (_, i) => draftOf(i, language))
    assert.equal(new Set(drafts.map(({ title }) => title)).size, POSTS_AT_MOST)
    assert.deepEqual(
      drafts,
      Array.from({ length: POSTS_AT_MOST }, (_, i) => draftOf(i, language)),
    )
    assert.ok(drafts.every(({ price }) => Number.isInteger(price) && price >= 0))
  }
  assert.equal(new Set(PEOPLE.map(({ username }) => username)).size, PEOPLE.length)
})
