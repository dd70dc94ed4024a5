// The life of `npm start` as an operator sees it: started, drained by signals, killed, started again on the same data.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEmbedded, postmasterOf } from '../support/embedded.ts'
import { Client } from '../support/client.ts'
import { logIn, type Newcomer, newcomer, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { CHEAP, launch, type Pando, scratch } from '../support/process.ts'
import { isAlive } from '../support/process-table.ts'
import { until } from '../support/until.ts'

// One installation for all: every test leaves it stopped or killed, and the next one has to cope.
const dataDir = join(scratch(), 'data')
const ada = newcomer()
// A busy machine may take ten times as long as an idle one.
const timeout = 180_000

const exitsCleanly = async (pando: Pando): Promise<void> => {
  assert.deepEqual(await pando.ended(10_000), { code: 0, signal: null })
  assert.equal(postmasterOf(dataDir), undefined, 'its PostgreSQL has ended too')
}
const signUp = async (url: string, who: Newcomer): Promise<string> => {
  const client = new Client(url)
  const { body } = await client.post<SignedUp>('/api/users', who)
  return (await sagaEnded(client, `/api/sagas/sign-up/${body.id}`)).status
}

test('npm start says where it is ready, and nothing else', { timeout }, async (t) => {
  const pando = launch(t, { dataDir, env: CHEAP, as: 'npm' })
  const url = await pando.ready()
  assert.match(pando.stdout, /^Pando is ready at http:\/\/127\.0\.0\.1:\d+\n$/)
  assert.deepEqual((await new Client(url).get('/api/health/ready')).body, {
    status: 'ok',
    checks: { database: 'ok', transport: 'ok' },
  })
  assert.equal(await signUp(url, ada), 'completed')
  pando.signal('SIGTERM')
  await exitsCleanly(pando)
  assert.equal(pando.stdout, `Pando is ready at ${url}\n`)
  assert.doesNotMatch(pando.stderr, /"level":[456]0/, 'and warns of nothing')
})

for (const [signal, to] of [
  ['SIGTERM', 'leader'],
  ['SIGINT', 'group'],
] as const)
  test(
    `${signal} to npm${to === 'group' ? ' and its whole group' : ''} drains: all that was asked is answered, streams end, a second signal changes nothing`,
    { timeout },
    async (t) => {
      const pando = launch(t, { dataDir, as: 'npm' })
      const url = await pando.ready()
      const server = postmasterOf(dataDir)!
      // Nobody becomes a member of the chat for now, so that sagas keep running and their streams open.
      const chat = openEmbedded(dataDir, 'pando_chat')
      const lock = await chat.connect()
      t.after(() => Promise.all([lock.close(), chat.close()]))
      await lock.query('begin; lock table chat.member in access exclusive mode')
      const stream = await new Client(url).stream('/api/users', { method: 'POST', body: newcomer() })
      await stream.until('the first version', ({ events }) => events.length > 0)
      const crowd = Array.from({ length: 12 }, () => newcomer())
      const asked = await Promise.all([
        ...crowd.map((who) => ask(url, '/api/users', who)),
        ask(url, '/api/sessions', ada),
      ])

      pando.signal(signal, to)
      // Their bodies come now, and their passwords are hashed at the real cost.
      const answers = await Promise.all(asked.map((send) => send()))
      assert.deepEqual(
        answers.map(({ statusCode }) => statusCode),
        [...crowd.map(() => 202), 201],
      )
      const seen = await stream.ended()
      assert.equal(stream.isWhole, true, 'not cut off')
      pando.signal('SIGTERM')
      pando.signal('SIGINT', 'group')
      await lock.query('rollback')
      await exitsCleanly(pando)
      assert.equal(isAlive(server), false)

      // What was under way goes on with the next start.
      const nextUrl = await launch(t, { dataDir, env: CHEAP }).ready()
      const headers = { 'last-event-id': seen.at(-1)!.id! }
      const rest = await new Client(nextUrl).stream(`${stream.headers.location}/events`, { headers })
      const views = viewsOf([...seen, ...(await rest.ended())])
      assert.deepEqual(
        views.map(({ version }) => version),
        views.map((_, i) => i + 1),
        'every version once',
      )
      assert.equal(views.at(-1)!.status, 'completed')
      for (const answer of answers.slice(0, -1))
        assert.equal((await sagaEnded(new Client(nextUrl), answer.headers.location!)).status, 'completed')
      for (const who of crowd) await logIn(nextUrl, who)
    },
  )

test('a client that does not send all of its request does not hold up the end', { timeout }, async (t) => {
  const pando = launch(t, { dataDir, env: CHEAP, as: 'npm' })
  const cut = (await ask(await pando.ready(), '/api/users', newcomer())).cut
  pando.signal('SIGTERM')
  await exitsCleanly(pando)
  await cut
})

test(
  'SIGKILL of the program leaves an orphan PostgreSQL, which does not stop the next start',
  { timeout },
  async (t) => {
    const pando = launch(t, { dataDir, env: CHEAP, as: 'npm' })
    await pando.ready()
    const orphan = postmasterOf(dataDir)!
    await pando.kill('group')
    assert.equal(isAlive(orphan), true)

    const next = launch(t, { dataDir, env: CHEAP, as: 'npm' })
    await logIn(await next.ready(), ada)
    assert.equal(isAlive(orphan), false)
    next.signal('SIGTERM')
    await exitsCleanly(next)
  },
)

test('SIGKILL of everything at once does not stop the next start', { timeout }, async (t) => {
  const pando = launch(t, { dataDir, env: CHEAP, as: 'npm' })
  await pando.ready()
  await pando.kill('all')
  assert.equal(postmasterOf(dataDir), undefined)

  const next = launch(t, { dataDir, env: CHEAP })
  await logIn(await next.ready(), ada)
  next.signal('SIGTERM')
  await exitsCleanly(next)
})

test(
  'a Pando whose npm was killed keeps running and keeps its DATA_DIR; another one is refused in one sentence',
  { timeout },
  async (t) => {
    const pando = launch(t, { dataDir, env: CHEAP, as: 'npm' })
    const url = await pando.ready()
    process.kill(pando.pid, 'SIGKILL')
    await until('the end of npm', () => !isAlive(pando.pid))

    const second = launch(t, { dataDir, as: 'npm' })
    assert.equal((await second.ended()).code, 1)
    assert.match(second.stderr, /^Pando cannot start: DATA_DIR=\S+ is in use by another Pando \(process \d+\): .*\n$/)
    assert.ok(second.stderr.includes(dataDir))
    await logIn(url, ada)

    pando.signal('SIGTERM')
    await pando.ended(10_000)
    assert.equal(postmasterOf(dataDir), undefined)
  },
)

test(
  'a signal while it starts: never ready, exit code 0, nothing in the way of the next start',
  { timeout },
  async (t) => {
    const fresh = join(scratch(), 'data')
    const moments: [string, () => unknown][] = [
      [
        'it makes the cluster',
        () => existsSync(fresh) && readdirSync(fresh).some((name) => name.startsWith('postgres.new-')),
      ],
      ['its PostgreSQL starts', () => postmasterOf(fresh)],
    ]
    for (const [what, hasCome] of moments) {
      const pando = launch(t, { dataDir: fresh, env: CHEAP, as: 'npm' })
      await until(what, () => Boolean(hasCome()))
      pando.signal('SIGTERM')
      await exitsCleanly(pando)
      assert.equal(pando.stdout, '')
    }
    await launch(t, { dataDir: fresh, env: CHEAP }).ready()
  },
)

/** Resolves when the server is at work on a POST. `send` sends the body and resolves with the answer; `cut` when there is none. */
async function ask(
  url: string,
  path: string,
  body: object,
): Promise<(() => Promise<IncomingMessage>) & { cut: Promise<unknown> }> {
  const bytes = JSON.stringify(body)
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(bytes),
    expect: '100-continue',
  }
  const asked: ClientRequest = request(url + path, { method: 'POST', headers })
  asked.flushHeaders()
  await once(asked, 'continue')
  const send = async (): Promise<IncomingMessage> => {
    asked.end(bytes)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return answer
  }
  const cut = new Promise((resolve) => asked.on('error', resolve))
  return Object.assign(send, { cut })
}
