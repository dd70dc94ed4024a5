// A message of one's own is deleted: at once where it was said, live where it was heard.
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Locator, Page, Route } from 'playwright-core'
import { focused, tabTo } from '../support/keyboard.ts'
import { openRoom, say, textsIn } from '../support/talk.ts'
import { until } from '../support/until.ts'
import { bubbles, startWeb } from '../support/web.ts'

const web = await startWeb({ after })
const TOMBSTONE = 'This message was deleted'

/** Two people with their room open, in which the first one has said these. */
async function talk(t: TestContext, ...texts: string[]) {
  const [nayun, minjae] = await Promise.all(
    ['Nayun', 'Minjae'].map((displayName) => web.member(t, { who: { displayName } })),
  )
  const roomId = await openRoom(nayun!.person, { type: 'direct', userId: minjae!.person.id })
  for (const text of texts) await say(nayun!.person, roomId, text)
  for (const { page } of [nayun!, minjae!]) {
    await page.goto(`/rooms/${roomId}`)
    await shows(page, texts)
  }
  return { ...nayun!, other: minjae!.page, roomId }
}

const shows = (page: Page, texts: string[]): Promise<unknown> =>
  until(texts.join(), async () => (await bubbles(page).allTextContents()).join() === texts.join())

const dialogOf = (page: Page): Locator => page.getByRole('dialog', { name: 'Delete this message?' })

/** Asks for the deletion of the message with this text. */
async function askToDelete(page: Page, text: string): Promise<void> {
  await page.locator('.message', { hasText: text }).getByRole('button', { name: 'Delete message' }).click()
  await dialogOf(page).waitFor()
}

const confirm = (page: Page): Promise<void> => dialogOf(page).getByRole('button', { name: 'Delete message' }).click()

/** Has the requests for deletion of this page answered like this. */
const answer = (page: Page, how: (route: Route) => Promise<void>): Promise<unknown> =>
  page.route('**/api/rooms/*/messages/*', (route) =>
    route.request().method() === 'DELETE' ? how(route) : route.continue(),
  )

test('a deleted message is a tombstone at once, live for the other, and for both after a reload', async (t) => {
  const { page, other, person: me, roomId } = await talk(t, 'one', 'two', 'three')
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  await answer(page, async (route) => {
    await held
    await route.continue()
  })
  await askToDelete(page, 'two')
  await dialogOf(page).getByRole('button', { name: 'Cancel' }).click()
  await dialogOf(page).waitFor({ state: 'detached' })
  await askToDelete(page, 'two')
  await confirm(page)
  await shows(page, ['one', TOMBSTONE, 'three'])
  await dialogOf(page).waitFor({ state: 'detached' })
  assert.deepEqual(await bubbles(other).allTextContents(), ['one', 'two', 'three'])
  release()
  await shows(other, ['one', TOMBSTONE, 'three'])
  assert.equal(await other.getByRole('button', { name: 'Delete message' }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'Delete message' }).count(), 2)
  for (const one of [page, other]) {
    await one.reload()
    await shows(one, ['one', TOMBSTONE, 'three'])
  }
  assert.deepEqual(await textsIn(me, roomId), ['one', null, 'three'])
})

test('by the keyboard: Tab leads to the newest, the arrows to the others, and the focus stays in the log', async (t) => {
  const { page, other } = await talk(t, 'one', 'two', 'three')
  await page.getByRole('textbox', { name: 'Message' }).focus()
  await tabTo(page, 'Delete message', 'Shift+Tab')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await dialogOf(page).waitFor()
  await page.keyboard.press('Escape')
  await dialogOf(page).waitFor({ state: 'detached' })
  // Escape has closed the dialog, not the room, and the focus is where it was.
  assert.match(new URL(page.url()).pathname, /^\/rooms\/./)
  await page.keyboard.press('Enter')
  await dialogOf(page).waitFor()
  await tabTo(page, 'Delete message')
  await page.keyboard.press('Enter')
  await shows(other, ['one', TOMBSTONE, 'three'])
  assert.match(await focused(page), /^DIV .*one/)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await tabTo(page, 'Delete message')
  await page.keyboard.press('Enter')
  await shows(other, ['one', TOMBSTONE, TOMBSTONE])
  await other.getByRole('list', { name: 'Chats' }).getByText(TOMBSTONE).waitFor()
})

test('what is refused is back, and it is said why; what only was not answered is gone', async (t) => {
  const { page, errors, person: me, roomId } = await talk(t, 'one', 'two')
  const { promise: held, resolve: refuse } = Promise.withResolvers<void>()
  await answer(page, async (route) => {
    await held
    await route.fulfill({ status: 403, contentType: 'application/problem+json', body: '{"code":"forbidden"}' })
  })
  await askToDelete(page, 'two')
  await confirm(page)
  await shows(page, ['one', TOMBSTONE])
  refuse()
  await shows(page, ['one', 'two'])
  await page.getByText('This is not yours to do.').waitFor()

  await page.unrouteAll()
  await answer(page, async (route) => {
    await route.fetch()
    await route.abort()
  })
  await askToDelete(page, 'two')
  await confirm(page)
  await page.getByText('No connection to Pando').waitFor()
  await shows(page, ['one', TOMBSTONE])
  assert.deepEqual(await textsIn(me, roomId), ['one', null])
  errors.length = 0
})
