// What is seen of a page from within: what moves on it by itself, and how its log of messages scrolls. Root code has no types of the DOM:
// what runs in the page is text.
import type { BrowserContext, Page } from 'playwright-core'
import { until } from './until.ts'

/** From now on each page of the context notes what shifts on it. */
export async function watchShifts(context: BrowserContext): Promise<void> {
  await context.addInitScript({
    content: `
      const nameOf = (node) => node?.className ? node.localName + '.' + node.className : node?.nodeName ?? 'something'
      const note = ({ value, hadRecentInput, sources }) => {
        if (!hadRecentInput) shifts.push({ value, what: sources.map(({ node, previousRect: from, currentRect: to }) =>
          nameOf(node) + ' ' + [from.x, from.y, 'to', to.x, to.y].join(' ')) })
      }
      const shifts = []
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(note))
      observer.observe({ type: 'layout-shift', buffered: true })
      window.shiftsUntilNow = () => {
        observer.takeRecords().forEach(note)
        return shifts
      }`,
  })
}

/** What has shifted on the page until what is there now was drawn. */
export interface Shift {
  /** How much of the window moved, times how far it went; of all that has moved. At least what is called cumulative layout shift. */
  sum: number
  /** What moved from where to where. */
  what: string
}

export async function shiftOf(page: Page): Promise<Shift> {
  await drawn(page)
  const shifts = await page.evaluate<{ value: number; what: string[] }[]>('shiftsUntilNow()')
  return {
    sum: shifts.reduce((total, { value }) => total + value, 0),
    what: shifts.map(({ value, what }) => `${value.toFixed(4)} ${what.join(', ')}`).join('; '),
  }
}

/** Resolves when all that is there now has been on the screen. */
export function drawn(page: Page): Promise<void> {
  return page.evaluate(
    'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))',
  )
}

/** Resolves when this is so in the page. (The content security policy forbids what `page.waitForFunction` does.) */
export async function becomes(page: Page, condition: string): Promise<void> {
  await until(condition, () => page.evaluate<boolean>(`Boolean(${condition})`))
}

/** Holds when all images are there that are asked for by now. */
export const IMAGES_ARE_THERE = `[...document.images].every((image) => {
  const { top, bottom, height } = image.getBoundingClientRect()
  return image.complete || height === 0 || bottom < 0 || top > innerHeight
})`

/** How a log has been scrolled. */
export interface Scrolled {
  /** Rows in the page, at most. */
  rows: number
  /** How far what is read has gone in one frame without the wheel, at most, in pixels. */
  jump: number
  /** Whether rows were put in while the log was one whose additions are read out. */
  wasReadOut: boolean
  /** Between two frames each, in milliseconds. */
  frames: number[]
}

/** From now on the log of this page is looked at in each frame. */
export async function watchLog(page: Page): Promise<void> {
  await page.evaluate(`
    const log = document.querySelector('.log[role=log]')
    const seen = (window.scrolled = { rows: 0, jump: 0, wasReadOut: false, frames: [] })
    let before = performance.now()
    let read
    /** What the wheel asks for and has not got. */
    let asked = 0
    log.addEventListener('wheel', ({ deltaY }) => void (asked -= deltaY), { passive: true })
    new MutationObserver((changes) => {
      if (changes.some(({ addedNodes }) => addedNodes.length > 0) && log.ariaLive !== 'off') seen.wasReadOut = true
    }).observe(log, { childList: true })
    const look = (now) => {
      seen.frames.push(now - before)
      before = now
      const { top, bottom } = log.getBoundingClientRect()
      const rows = [...log.querySelectorAll('.log-row')]
      seen.rows = Math.max(seen.rows, rows.length)
      if (read) {
        const moved = read.isConnected ? read.getBoundingClientRect().bottom - read.at : Infinity
        const byWheel = asked > 0 ? Math.min(Math.max(moved, 0), asked) : Math.max(Math.min(moved, 0), asked)
        seen.jump = Math.max(seen.jump, Math.abs(moved - byWheel))
        asked -= byWheel
      }
      // At an edge the wheel asks in vain for what is beyond it, and only for that: the way back may not have begun.
      if (log.scrollTop <= 0) asked = Math.min(asked, 0)
      if (log.scrollTop + log.clientHeight >= log.scrollHeight - 1) asked = Math.max(asked, 0)
      read = rows.find((row) => row.dataset.seq && row.getBoundingClientRect().bottom > (top + bottom) / 2)
      if (read) read.at = read.getBoundingClientRect().bottom
      requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
    undefined`)
}

/** What has been seen since `watchLog`. */
export const scrolledOn = (page: Page): Promise<Scrolled> => page.evaluate('scrolled')
