// @pando/live in a real browser, against a real hub that fails in every way.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { startChromium } from '../support/chromium.ts'
import { type LiveServer, startLiveServer } from '../support/live-server.ts'
import { until } from '../support/until.ts'

const LIVE = join(import.meta.dirname, '../../packages/live')
const IMPORTS = '<script type="importmap">{ "imports": { "@pando/live": "/live/index.ts" } }</script>'
const browser = await startChromium({ after })

/** What happened in the page: events by their numbers, states, and how often state was fetched. */
interface Log {
  numbers: number[]
  ids: string[]
  states: string[]
  loads: number
  asked: number
}

const PAGE = (connect: string, silenceMs: number) => `<!doctype html><title>live</title>${IMPORTS}
<script type="module">
  import { byEventSource, byFetch, createLive } from '@pando/live'
  const log = (window.log = { numbers: [], ids: [], states: [], loads: 0, asked: 0 })
  const live = (window.live = createLive({
    url: '/api/stream',
    connect: ${connect},
    silenceMs: ${silenceMs},
    onState: (state) => log.states.push(state),
    onUnauthenticated: () => void log.asked++,
  }))
  live.on('notification.read', ({ data, id }) => { log.numbers.push(data.unread); log.ids.push(id) })
  live.on('typing', () => log.numbers.push(-1))
  live.load(() => void log.loads++)
  live.start()
</script>`

/** The page's own files: the modules of the package as JavaScript, and pages by their names. */
const files =
  (pages: Record<string, string>) =>
  ({ url }: IncomingMessage, res: ServerResponse): void => {
    const module = /^\/live\/([a-z-]+\.ts)$/.exec(url!)?.[1]
    if (module) {
      res.setHeader('content-type', 'text/javascript')
      res.end(stripTypeScriptTypes(readFileSync(join(LIVE, 'src', module), 'utf8')))
    } else if (pages[url!] !== undefined) {
      res.setHeader('content-type', 'text/html; charset=utf-8')
      res.end(pages[url!])
    } else res.writeHead(404).end()
  }

async function setUp(t: TestContext, connect: string, { silenceMs = 75_000 } = {}) {
  const server = await startLiveServer(t, { retryMs: 0, other: files({ '/': PAGE(connect, silenceMs) }) })
  const page = await openPage(t, server.url)
  const log = (): Promise<Log> => page.evaluate('window.log')
  let n = 0
  const append = (): string => server.append('notification.read', { unread: ++n })
  /** Resolves when the page has got all that was appended; asserts that each came once, in order. How long it waits is tested elsewhere. */
  const all = async ({ hurry = false } = {}): Promise<void> => {
    await until(`event ${n}`, async () => {
      if (hurry) await page.evaluate('window.live.wake()')
      return (await log()).numbers.includes(n)
    })
    const { numbers } = await log()
    assert.deepEqual(
      numbers,
      Array.from({ length: n }, (_, i) => i + 1),
    )
  }
  const inState = (state: string): Promise<unknown> =>
    until(state, () => page.evaluate<boolean>(`window.live?.state === '${state}'`))
  await inState('open')
  append()
  await all()
  return { server, page, log, append, all, inState }
}

async function openPage(t: TestContext, url: string): Promise<Page> {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  page.on('pageerror', (error) => assert.fail(error))
  await page.goto(url)
  return page
}

const idsOf = ({ requests }: LiveServer): (string | undefined)[] => requests.map(({ id }) => id)

for (const connect of ['byFetch', 'byEventSource'] as const) {
  test(`${connect}: an answer that is no stream is survived`, async (t) => {
    const { server, log, append, all } = await setUp(t, connect)
    for (const trouble of [502, 204, 401, 'reset'] as const) {
      server.requests.length = 0
      // By EventSource the first is asked again, by fetch, to know why.
      server.troubles.push(...(connect === 'byEventSource' && trouble !== 'reset' ? [trouble, trouble] : [trouble]))
      server.end()
      append()
      await all({ hurry: true })
      assert.equal(server.troubles.length, 0)
    }
    assert.deepEqual([(await log()).loads, (await log()).asked], [1, 1])
  })

  test(`${connect}: ends and resets lose and repeat nothing, and are no trouble`, async (t) => {
    const { server, log, append, all, inState } = await setUp(t, connect)
    for (const part of ['end', 'cut', 'end', 'cut'] as const) {
      server[part]()
      append()
      await all({ hurry: part === 'cut' })
      await inState('open')
    }
    server.send('typing', { roomId: 'r', userId: 'u' })
    await until('typing', async () => (await log()).numbers.includes(-1))
    const { states, loads } = await log()
    assert.ok(!states.includes('offline'), states.join())
    assert.equal(loads, 1)
    assert.deepEqual(idsOf(server), [undefined, 'e0-1', 'e0-2', 'e0-3', 'e0-4'])
  })

  test(`${connect}: a connection that has gone silent is replaced`, async (t) => {
    const { server, append, all } = await setUp(t, connect, { silenceMs: 4_000 })
    server.silence()
    append()
    await all()
  })

  test(`${connect}: what cannot be gone on from is fetched anew`, async (t) => {
    const { server, page, log, append, inState } = await setUp(t, connect)
    append()
    server.epoch = 'e1'
    server.end()
    await until('fetched again', async () => (await log()).loads === 2)
    await inState('open')
    assert.equal(await page.evaluate('window.live.lastEventId'), 'e1-2')
    const id = append()
    await until('the next', async () => (await log()).ids.includes(id))
    assert.equal((await log()).loads, 2)
  })

  test(`${connect}: a full server is offline, for half a minute`, async (t) => {
    const { server, page, append, inState, log } = await setUp(t, connect)
    await page.clock.install()
    await page.evaluate('window.live.stop()')
    server.troubles.push('busy')
    await page.evaluate('window.live.start()')
    await inState('offline')
    append()
    await page.evaluate('window.live.wake()')
    await page.clock.runFor(29_000)
    assert.deepEqual([server.requests.length, await page.evaluate('window.live.state')], [2, 'offline'])
    await page.clock.runFor(35_000)
    await until('the event', async () => {
      await page.clock.runFor(500)
      return (await log()).numbers.includes(2)
    })
    assert.deepEqual((await log()).numbers, [1, 2])
  })

  test(`${connect}: a second without network, then all that was missed, at once`, async (t) => {
    const { server, page, append, all, inState, log } = await setUp(t, connect)
    await page.context().setOffline(true)
    await inState('offline')
    // The browser's own switch lets go on what is open.
    server.cut()
    append()
    await until('tried in vain', async () => (await log()).states.lastIndexOf('offline') > 1)
    await page.context().setOffline(false)
    const backAt = performance.now()
    await all()
    assert.ok(performance.now() - backAt < 1_500, `${performance.now() - backAt} ms`)
    assert.equal((await log()).loads, 1)
  })
}

test('the README’s example for a page keeps the badge right', async (t) => {
  const readme = readFileSync(join(LIVE, 'README.md'), 'utf8')
  const [, example] = /^## In a page\n\n```js\n(.*?)^```$/ms.exec(readme) ?? []
  const room = {
    id: '019b0000-0000-7000-8000-000000000000',
    members: [],
    lastMessage: null,
    lastSeq: 4,
    lastReadSeq: 1,
    unread: 3,
  }
  const answers: Record<string, unknown> = {
    '/api/me': { id: 'me' },
    '/api/rooms?limit=100': { items: [room], next: null },
  }
  const page = `<!doctype html><p id="unread">${IMPORTS}<script type="module">${example}</script>`
  const other = files({ '/': page })
  const server = await startLiveServer(t, {
    retryMs: 0,
    other: (req, res) => (answers[req.url!] ? res.end(JSON.stringify(answers[req.url!])) : other(req, res)),
  })
  const badge = (await openPage(t, server.url)).locator('#unread')
  const shows = (text: string): Promise<unknown> => until(text, async () => (await badge.textContent()) === text)
  await shows('3')
  const sender = { id: 'ann', displayName: 'Ann' }
  server.append('message.created', {
    roomId: room.id,
    seq: 5,
    sender,
    kind: 'text',
    text: '',
    createdAt: new Date(),
    deletedAt: null,
  })
  await shows('4')
  server.append('room.read', { roomId: room.id, userId: 'me', lastReadSeq: 5 })
  await shows('0')
  assert.equal(await badge.getAttribute('data-state'), 'open')
})
