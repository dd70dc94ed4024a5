import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import type { Scope } from './postgres.ts'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where Chromium is on this machine, if it is: CHROMIUM says, or it is the system's own. */
export function chromiumPath(): string | undefined {
  return [process.env.CHROMIUM ?? '/usr/bin/chromium'].find((path) => existsSync(path))
}

/** A browser of the test's own, closed at the end of the scope. Throws where there is none. */
export async function startChromium(scope: Scope): Promise<Browser> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error('no Chromium: set CHROMIUM to its path')
  const browser = await chromium.launch({ executablePath, args: ARGS })
  scope.after(() => browser.close())
  return browser
}
