// What the pages weigh, when they are there, and what moves on them meanwhile.
import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import { draw } from '../tools/demo/picture.ts'
import { becomes, IMAGES_ARE_THERE, type Shift, shiftOf, watchShifts } from '../test/support/page-watch.ts'
import { person, type Person } from '../test/support/people.ts'
import { offer } from '../test/support/posts.ts'
import { ms, type Row } from './row.ts'
import type { Target } from './web.ts'

const POSTS = 24
const ROOMS = 12
const MESSAGES = 60
const WIDTHS = [390, 1280]
const HEIGHT = 844
/** Of a telephone on the way: 1.6 Mbit/s, 150 ms there and back. */
const SLOW = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 94_000 }

interface Visit extends Shift {
  /** The page and the width. */
  name: string
  lcpMs: number
  scriptKb: number
}

export async function pageRows(target: Target): Promise<Row[]> {
  const { postId, roomId } = await fill(target)
  const places: [name: string, path: string, sign: string, isMember: boolean][] = [
    ['home', '/', '.post h2', true],
    ['post', `/posts/${postId}`, '.info h1', true],
    ['rooms', '/rooms', '.room-row', true],
    ['room', `/rooms/${roomId}`, '.bubble', true],
    ['sign-up', '/sign-up', 'form', false],
  ]
  const visits: Record<'fast' | 'slow', Visit[]> = { fast: [], slow: [] }
  for (const line of ['fast', 'slow'] as const)
    for (const [name, path, sign, isMember] of places)
      for (const width of WIDTHS) {
        const page = await target.open(isMember ? target.me : undefined, { viewport: { width, height: HEIGHT } })
        const meanwhile = async (): Promise<void> => (isMember ? tell(page, target, roomId) : undefined)
        const visit = await look(page, { path, sign, isSlow: line === 'slow', meanwhile })
        await page.context().close()
        visits[line].push({ ...visit, name: `${name} ${width}` })
        console.error(`web, ${line}: ${JSON.stringify(visits[line].at(-1))}`)
      }
  const { fast, slow } = visits
  const shift = worst([...fast, ...slow], 'sum')
  const [lcp, slowLcp, script] = [worst(fast, 'lcpMs'), worst(slow, 'lcpMs'), worst(fast, 'scriptKb')]
  const pages = `worst of home, post, rooms, room, sign-up at ${WIDTHS.join(' and ')} px, nothing in the cache`
  return [
    {
      what: 'layout shift of a page, with its images and with what others do',
      value: shift.sum.toFixed(4),
      target: '< 0.05',
      detail: `${shift.name}; ${pages}, also on a slow line`,
    },
    { what: 'largest contentful paint', value: ms(lcp.lcpMs), detail: `${lcp.name}; ${pages}` },
    {
      what: 'the same on a slow line, 1.6 Mbit/s and 150 ms',
      value: ms(slowLcp.lcpMs),
      target: '≤ 1,800 ms',
      detail: slowLcp.name,
    },
    {
      what: 'JavaScript transferred for a page',
      value: `${script.scriptKb.toFixed(1)} KB`,
      target: '≤ 150 KB',
      detail: `${script.name}; ${pages}`,
    },
  ]
}

const worst = (visits: readonly Visit[], key: 'sum' | 'lcpMs' | 'scriptKb'): Visit =>
  visits.reduce((most, visit) => (visit[key] > most[key] ? visit : most))

/** A market with photos, and rooms with something said in each: the last one is with the other. */
async function fill({ url, me, other }: Target): Promise<{ postId: string; roomId: string }> {
  let postId = ''
  for (let i = 0; i < POSTS; i++)
    postId = (await offer(other, { title: `Fern ${i}, grown by a window`, imageIds: [await upload(url, other, i)] })).id
  let roomId = ''
  for (let i = 1; i <= ROOMS; i++) {
    const who = i === ROOMS ? other : await person(url)
    const { body } = await who.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
    roomId = body.id
    await send(who, roomId, { text: 'Hello! Is it still there?' })
  }
  for (let i = 0; i < MESSAGES; i++) await send(i % 4 === 0 ? me : other, roomId, { text: `Message ${i}` })
  await send(other, roomId, { imageId: await upload(url, other, POSTS) })
  return { postId, roomId }
}

async function upload(url: string, { token }: Person, i: number): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(await draw(`${i}`, 'fronds', 120))]))
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(new URL('/api/images', url), { method: 'POST', headers, body: form })
  if (response.status !== 201) throw new Error(`POST /api/images: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { id: string }).id
}

async function send({ client }: Person, roomId: string, content: object): Promise<void> {
  const path = `/api/rooms/${roomId}/messages`
  const { status, text } = await client.post(path, { clientMessageId: randomUUID(), ...content })
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`)
}

/** What others do while one looks at this page; resolves when it is seen there. */
async function tell(page: Page, { other }: Target, roomId: string): Promise<void> {
  const [before, text] = [await page.title(), `I could come at ${Date.now()}.`]
  await other.client.post(`/api/rooms/${roomId}/typing`)
  await send(other, roomId, { text })
  await becomes(
    page,
    `document.title !== ${JSON.stringify(before)} || document.body.textContent.includes(${JSON.stringify(text)})`,
  )
}

async function look(
  page: Page,
  { path, sign, isSlow, meanwhile }: { path: string; sign: string; isSlow: boolean; meanwhile: () => Promise<void> },
): Promise<Omit<Visit, 'name'>> {
  await watchShifts(page.context())
  if (isSlow) {
    const session = await page.context().newCDPSession(page)
    await session.send('Network.enable')
    await session.send('Network.emulateNetworkConditions', SLOW)
  }
  await page.goto(path)
  await page.locator(sign).first().waitFor()
  await meanwhile()
  await becomes(page, IMAGES_ARE_THERE)
  const lcpMs = await page.evaluate<number>(LCP)
  const scriptKb = await page.evaluate<number>(SCRIPT_KB)
  // Down to the end, for what is loaded only there; a wheel is nothing that a page may shift for.
  await page.mouse.move(200, 400)
  for (let i = 0; i < 8; i++) {
    await page.mouse.wheel(0, 400)
    await becomes(page, IMAGES_ARE_THERE)
  }
  return { ...(await shiftOf(page)), lcpMs, scriptKb }
}

const LCP = `new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
  .observe({ type: 'largest-contentful-paint', buffered: true }))`
const SCRIPT_KB = `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))
  .reduce((sum, { transferSize }) => sum + transferSize, 0) / 1024`
