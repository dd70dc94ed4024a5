import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

/** Goes on by this key, Tab unless it is given, until what has the focus is called this. */
export async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press(key)
    const text = await page.evaluate<string>(
      `(() => { const it = document.activeElement; return it.getAttribute('aria-label') ?? it.labels?.[0]?.textContent ?? it.textContent })()`,
    )
    if (typeof name === 'string' ? text.trim() === name : name.test(text)) return
  }
  assert.fail(`${key} does not lead to ${name}`)
}

/** The tag of what has the focus, and what it says. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate<string>('`${document.activeElement.tagName} ${document.activeElement.textContent}`')
