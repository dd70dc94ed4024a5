// The web app in a real browser, in front of a Pando of the test's own.
import assert from 'node:assert/strict'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { startChromium } from './chromium.ts'
import { newcomer, type Newcomer, person, type Person } from './people.ts'
import type { Scope } from './postgres.ts'
import { type Line, startLine } from './line.ts'
import { startSystem, type System, type SystemOptions } from './system.ts'

export interface Web {
  readonly system: System
  /** Where the browsers go: by a line that can be cut. */
  readonly url: string
  readonly line: Line
  readonly browser: Browser
  /** Somebody with a browser of their own, in which nobody is logged in. */
  stranger(scope: Scope, options?: WindowOptions): Promise<Window>
  /** Somebody new with a browser of their own, in which they are logged in. */
  member(scope: Scope, options?: WindowOptions & { who?: Partial<Newcomer> }): Promise<Window & { person: Person }>
}

export interface WindowOptions {
  language?: 'ko' | 'en'
  width?: number
  height?: number
  theme?: 'light' | 'dark'
}

export interface Window {
  readonly page: Page
  readonly context: BrowserContext
  /** What the console has called an error. Any that is left at the end fails the test. */
  readonly errors: string[]
}

/** By the form, in English, from the first page to the market. */
export async function signUp(page: Page, { username, password, displayName, email }: Newcomer): Promise<void> {
  await page.goto('/')
  await page.getByRole('link', { name: 'Sign up' }).click()
  await page.getByLabel('Username').fill(username)
  await page.getByText('Free to take').waitFor()
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByLabel('Display name').fill(displayName)
  await page.getByLabel('Email').fill(email)
  await page.getByRole('button', { name: 'Sign up' }).click()
  const steps = page.getByRole('list', { name: 'Sign-up progress' })
  for (const name of ['Account: done', 'Chat: done', 'Wallet: done'])
    await steps.getByRole('listitem', { name }).waitFor()
  await page.getByRole('heading', { level: 1, name: `Welcome, ${displayName}` }).waitFor()
  await page.getByRole('link', { name: 'Browse' }).click()
}

/** As one does it, by the form. */
export async function logIn(
  page: Page,
  { username, password }: Pick<Newcomer, 'username' | 'password'>,
): Promise<void> {
  await page.goto('/log-in')
  await page.locator('[name=username]').fill(username)
  await page.locator('[name=password]').fill(password)
  await page.locator('form button.wide').click()
  await page.waitForURL((address) => address.pathname === '/')
}

/** What is said in the room that is open. */
export const bubbles = (page: Page): Locator => page.locator('.log .bubble')

/** Starts Pando and a browser; both are stopped at the end of the scope. */
export async function startWeb(scope: Scope, options: SystemOptions = {}): Promise<Web> {
  const line = await startLine(scope)
  const { url } = line
  const env = { PUBLIC_ORIGIN: url, ...options.env }
  const [system, browser] = await Promise.all([startSystem(scope, { ...options, env }), startChromium(scope)])
  line.lead(system.url)

  async function stranger(
    own: Scope,
    { language = 'en', width = 1280, height = 900, theme = 'light' }: WindowOptions = {},
  ): Promise<Window> {
    const context = await browser.newContext({
      baseURL: url,
      locale: language === 'ko' ? 'ko-KR' : 'en-GB',
      timezoneId: 'Asia/Seoul',
      colorScheme: theme,
      viewport: { width, height },
      reducedMotion: 'reduce',
    })
    const errors: string[] = []
    own.after(async () => {
      await context.close()
      assert.deepEqual(errors, [])
    })
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`)
    })
    return { page, context, errors }
  }

  async function member(
    own: Scope,
    { who, ...window }: WindowOptions & { who?: Partial<Newcomer> } = {},
  ): Promise<Window & { person: Person }> {
    const [opened, joined] = await Promise.all([stranger(own, window), person(system.url, newcomer(who))])
    await joined.client.patch('/api/me', { locale: window.language ?? 'en' })
    await logIn(opened.page, joined)
    return { ...opened, person: joined }
  }

  return { system, url, line, browser, stranger, member }
}
