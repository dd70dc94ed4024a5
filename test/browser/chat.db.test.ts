// A chat on a line that fails: nothing lost, nothing twice, nothing typed forgotten, and nothing that moves under a finger.
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Locator } from 'playwright-core'
import { person } from '../support/people.ts'
import { openRoom, say, textsIn } from '../support/talk.ts'
import { until } from '../support/until.ts'
import { bubbles, startWeb } from '../support/web.ts'

const web = await startWeb({ after })
const other = await person(web.system.url, { displayName: 'Minjae' })

const scroll = (log: Locator, top: number): Promise<void> =>
  log.evaluate((box, to) => void ((box as unknown as { scrollTop: number }).scrollTop = to), top)

/** Somebody in a room with the other one, in which this many messages were written before. */
async function inRoom(t: TestContext, before: number) {
  const member = await web.member(t)
  const roomId = await openRoom(other, { type: 'direct', userId: member.person.id })
  for (let i = 1; i <= before; i++) await say(other, roomId, `old ${i}`)
  const { page } = member
  if (before > 0)
    await page
      .getByRole('link', { name: /^Chats/ })
      .getByText(`${before} unread`)
      .waitFor()
  await page.goto(`/rooms/${roomId}`)
  await page.getByRole('log', { name: 'Messages' }).waitFor()
  return { ...member, roomId, composer: page.getByRole('textbox', { name: 'Message' }) }
}

test('messages that come while the line is cut are there once, in order, and read', async (t) => {
  const { page, person: me, roomId, errors } = await inRoom(t, 1)
  for (let i = 1; i <= 12; i++) {
    if (i % 4 === 1) web.line.cut()
    await say(other, roomId, `new ${i}`)
  }
  const expected = ['old 1', ...Array.from({ length: 12 }, (_, i) => `new ${i + 1}`)]
  await bubbles(page).getByText('new 12', { exact: true }).waitFor()
  assert.deepEqual(await bubbles(page).allTextContents(), expected)
  await until('all is read', async () => {
    const { body } = await me.client.get<{ unread: number }>(`/api/rooms/${roomId}`)
    return body.unread === 0
  })
  await until(`no badge, but ${await page.title()}`, async () => (await page.title()) === 'Minjae · Pando', 3_000)
  errors.length = 0
})

test('what is written without network is sent when it is back, in order, once', async (t) => {
  const { page, context, composer, person: me, roomId, errors } = await inRoom(t, 0)
  await context.setOffline(true)
  web.line.down()
  t.after(() => web.line.up())
  await page.getByRole('status', { name: 'Connection' }).getByText('You are offline').waitFor()
  for (const text of ['one', 'two', 'three']) {
    await composer.fill(text)
    await composer.press('Enter')
  }
  await page.getByText('Sends when back online').first().waitFor()
  assert.deepEqual(await bubbles(page).allTextContents(), ['one', 'two', 'three'])
  web.line.up()
  await context.setOffline(false)
  await until('sent', async () => (await textsIn(me, roomId)).length === 3)
  assert.deepEqual(await textsIn(me, roomId), ['one', 'two', 'three'])
  await page.getByText('Sends when back online').first().waitFor({ state: 'detached' })
  await page.getByText('You are offline').waitFor({ state: 'detached' })
  assert.deepEqual(await bubbles(page).allTextContents(), ['one', 'two', 'three'])
  errors.length = 0
})

test('an answer that is lost makes no second message', async (t) => {
  const { page, composer, person: me, roomId, errors } = await inRoom(t, 0)
  let lost = 0
  await page.route('**/api/rooms/*/messages', async (route) => {
    if (route.request().method() !== 'POST' || lost++ > 0) return route.continue()
    await route.fetch()
    await route.abort()
  })
  await composer.fill('only once')
  await page.getByRole('button', { name: 'Send' }).click()
  await until('asked again', () => lost > 1)
  await page.locator('.log time').waitFor()
  assert.deepEqual(await textsIn(me, roomId), ['only once'])
  assert.deepEqual(await bubbles(page).allTextContents(), ['only once'])
  errors.length = 0
})

test('what is refused stays, and can be sent again or removed', async (t) => {
  const { page, composer, person: me, roomId, errors } = await inRoom(t, 0)
  await other.client.put(`/api/blocks/${me.id}`)
  for (const text of ['first', 'second']) {
    await composer.fill(text)
    await composer.press('Enter')
  }
  await page.getByRole('button', { name: 'Remove' }).nth(1).waitFor()
  await page.reload()
  await page.getByRole('button', { name: 'Remove' }).nth(1).click()
  await bubbles(page).getByText('second').waitFor({ state: 'detached' })
  await other.client.delete(`/api/blocks/${me.id}`)
  await page.getByRole('button', { name: 'Send again' }).click()
  await until('sent', async () => (await textsIn(me, roomId)).length === 1)
  assert.deepEqual(await textsIn(me, roomId), ['first'])
  errors.length = 0
})

test('a draft survives another room and a reload, and is marked in the list', async (t) => {
  const { page, composer, roomId } = await inRoom(t, 1)
  await composer.fill('half a sent')
  await page.keyboard.press('Escape')
  await page.waitForURL('/rooms')
  const row = page.getByRole('list', { name: 'Chats' }).getByRole('link', { name: /Minjae/ })
  await row.getByText('Draft').waitFor()
  await row.click()
  assert.equal(await composer.inputValue(), 'half a sent')
  await page.reload()
  assert.equal(await composer.inputValue(), 'half a sent')
  await composer.press('End')
  await composer.pressSequentially('ence')
  await composer.press('Enter')
  await bubbles(page).getByText('half a sentence').waitFor()
  await page.goto('/rooms')
  await page.goto(`/rooms/${roomId}`)
  await bubbles(page).getByText('half a sentence').waitFor()
  assert.equal(await composer.inputValue(), '')
})

test('Enter that ends a syllable sends nothing, and the plain one after it does', async (t) => {
  const { page, composer } = await inRoom(t, 0)
  await composer.focus()
  const session = await page.context().newCDPSession(page)
  await session.send('Input.imeSetComposition', { text: '안녕', selectionStart: 2, selectionEnd: 2 })
  await session.send('Input.dispatchKeyEvent', {
    type: 'rawKeyDown',
    windowsVirtualKeyCode: 229,
    key: 'Enter',
    code: 'Enter',
  })
  await session.send('Input.insertText', { text: '안녕' })
  assert.equal(await bubbles(page).count(), 0)
  assert.equal(await composer.inputValue(), '안녕')
  await composer.press('Enter')
  await bubbles(page).getByText('안녕', { exact: true }).waitFor()
  assert.equal(await bubbles(page).count(), 1)
})

test('older messages come in above what one reads, which stays where it is; new ones wait behind a pill', async (t) => {
  const { page, roomId } = await inRoom(t, 120)
  const line = page.locator('.unread-line')
  await line.waitFor()
  const log = page.getByRole('log', { name: 'Messages' })
  await until('read to the end', async () => {
    await scroll(log, 1e6)
    return (await page.title()) === 'Minjae · Pando'
  })
  await page.reload()
  await bubbles(page).getByText('old 120', { exact: true }).waitFor()
  const [first = ''] = await bubbles(page).allTextContents()
  const place = (): Promise<number> =>
    bubbles(page)
      .getByText(first, { exact: true })
      .evaluate(
        (bubble) => (bubble as unknown as { getBoundingClientRect(): { top: number } }).getBoundingClientRect().top,
      )
  await scroll(log, 300)
  const before = await place()
  await until('older ones', async () => (await bubbles(page).count()) > 60)
  assert.ok(Math.abs((await place()) - before) < 2, `${before} then ${await place()}`)
  await say(other, roomId, 'news')
  await page.getByRole('button', { name: 'New messages 1' }).waitFor()
  assert.ok(Math.abs((await place()) - before) < 2)
  await page.getByRole('button', { name: 'New messages 1' }).click()
  await page.getByRole('button', { name: /New messages/ }).waitFor({ state: 'detached' })
  await bubbles(page).getByText('news', { exact: true }).waitFor()
})
