// A very long chat that is scrolled, and messages from one browser to another.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { scrolledOn, watchLog } from '../test/support/page-watch.ts'
import { addMessages } from '../test/support/rooms.ts'
import { databaseOf } from './load.ts'
import { ms, quantile, type Row } from './row.ts'
import type { Target } from './web.ts'

const DEPTH = 100_000
const READ = 2_000
const VIEWPORT = { width: 1280, height: 860 }
/** A wheel that is turned fast: so many pixels at a time. */
const STEP = 400
const STEP_MS = 16
const LATE_FRAME_MS = 50
const SENT = 200

export async function chatRows(target: Target): Promise<Row[]> {
  const { other, me } = target
  const { body } = await other.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
  const db = databaseOf(target.clusterUrl, target.prefix, 'chat')
  await addMessages(db, body.id, { senderIds: [me.id, other.id], count: DEPTH })
  await db.close()
  return [...(await scrollRows(target, body.id)), ...(await deliveryRows(target, body.id))]
}

async function scrollRows({ me, open }: Target, roomId: string): Promise<Row[]> {
  const page = await open(me, { viewport: VIEWPORT })
  const from = performance.now()
  await page.goto(`/rooms/${roomId}`)
  await page.locator('.bubble').first().waitFor()
  const openedMs = performance.now() - from
  await page.locator('.log').hover()
  await page.evaluate(LONG_TASKS)
  await watchLog(page)
  const last = await seqAtTop(page)
  for (let i = 0; (await seqAtTop(page)) > last - READ; i++) {
    await page.mouse.wheel(0, -STEP)
    await sleep(STEP_MS)
  }
  const { rows, jump, frames } = await scrolledOn(page)
  const longest = await page.evaluate<number>('longest')
  await page.context().close()
  const late = frames.filter((frame) => frame > LATE_FRAME_MS)
  const depth = DEPTH.toLocaleString('en')
  const result = {
    openedMs,
    rows,
    jump,
    longest,
    frames: frames.length,
    late: late.length,
    p99: quantile(frames, 0.99),
  }
  console.error(`web, scrolling: ${JSON.stringify(result)}`)
  return [
    { what: `a room of ${depth} messages, until they are seen`, value: ms(openedMs) },
    {
      what: `scrolled up through ${READ.toLocaleString('en')} of them: frames longer than ${LATE_FRAME_MS} ms`,
      value: `${((100 * late.length) / frames.length).toFixed(1)} %`,
      target: '≤ 1 %',
      detail: `of ${frames.length}; p99 ${ms(quantile(frames, 0.99))}, longest task ${ms(longest)}`,
    },
    { what: 'rows in the page, at most', value: `${rows}`, target: '≤ 200' },
    { what: 'what one reads, moved by anything but the wheel', value: `${jump.toFixed(1)} px`, target: '< 2 px' },
  ]
}

/** The first message that is seen. */
const seqAtTop = (page: Page): Promise<number> =>
  page.evaluate(`(() => {
    const { top } = document.querySelector('.log').getBoundingClientRect()
    return Number([...document.querySelectorAll('[data-seq]')].find((row) => row.getBoundingClientRect().bottom > top).dataset.seq)
  })()`)

async function deliveryRows({ me, other, open }: Target, roomId: string): Promise<Row[]> {
  const [a, b] = [await open(me, { viewport: VIEWPORT }), await open(other, { viewport: VIEWPORT })]
  for (const page of [a, b]) {
    await page.goto(`/rooms/${roomId}`)
    await page.locator('.bubble').first().waitFor()
    await page.evaluate(WATCH_BUBBLES)
  }
  const composer = a.getByRole('textbox', { name: 'Message' })
  const own: number[] = []
  const others: number[] = []
  for (let i = 1; i <= SENT; i++) {
    const text = `Number ${i}`
    await composer.fill(text)
    await composer.press('Enter')
    const [atA, atB] = await Promise.all([drawnAt(a, text), drawnAt(b, text)])
    const entered = await a.evaluate<number>('enteredAt')
    own.push(atA - entered)
    others.push(atB - entered)
  }
  for (const page of [a, b]) await page.context().close()
  console.error(`web, messages: ${JSON.stringify({ own: quantile(own, 0.5), others: quantile(others, 0.5) })}`)
  const row = (what: string, times: readonly number[]): Row => ({
    what,
    value: ms(quantile(times, 0.99)),
    detail: `p50 ${ms(quantile(times, 0.5))}, longest ${ms(Math.max(...times))}; ${SENT} messages, one at a time, in the frame that shows it`,
  })
  return [
    { ...row('Enter to the bubble on one’s own screen, p99', own), target: '≤ 50 ms' },
    { ...row('Enter to the bubble on the other’s screen, p99', others), target: '≤ 100 ms' },
  ]
}

/** When the bubble of this text was first on the screen. */
const drawnAt = (page: Page, text: string): Promise<number> => page.evaluate(`drawnAt(${JSON.stringify(text)}).promise`)

const LONG_TASKS = `
  window.longest = 0
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration))))
    .observe({ type: 'longtask' })`
const WATCH_BUBBLES = `
  const bubbles = new Map()
  window.drawnAt = (text) => {
    if (!bubbles.has(text)) bubbles.set(text, Promise.withResolvers())
    return bubbles.get(text)
  }
  new MutationObserver(() => {
    for (const { textContent } of [...document.querySelectorAll('.log .bubble')].slice(-3))
      // By the clock of the machine: the two are in processes of their own.
      requestAnimationFrame(() => drawnAt(textContent).resolve(performance.timeOrigin + performance.now()))
  }).observe(document.querySelector('.log'), { childList: true, subtree: true })
  document.addEventListener('keydown', ({ key, timeStamp }) => {
    if (key === 'Enter') window.enteredAt = performance.timeOrigin + timeStamp
  }, true)`
