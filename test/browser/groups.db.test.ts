// A group, as the pages of its members show it: made, written in, joined, made quiet, left.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { befriend, person } from '../support/people.ts'
import { say } from '../support/talk.ts'
import { until } from '../support/until.ts'
import { startWeb } from '../support/web.ts'

const web = await startWeb({ after })

const logOf = (page: Page): Locator => page.getByRole('log', { name: 'Messages' })
const rowOf = (page: Page): Locator =>
  page.getByRole('list', { name: 'Chats' }).getByRole('link', { name: /Fern club/ })
const chatsOf = (page: Page): Locator => page.getByRole('link', { name: /^Chats/ })

async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.keyboard.press('Enter')
}

/** The dialog of the room that is open. */
async function settingsOf(page: Page): Promise<Locator> {
  await page.getByRole('button', { name: 'Chat settings' }).click()
  return page.getByRole('dialog', { name: 'Chat settings' })
}

test('friends make a group, talk in it, bring somebody in, and go', async (t) => {
  const nayun = await web.member(t, { who: { displayName: 'Nayun' } })
  const hana = await web.member(t, { who: { displayName: 'Hana' } })
  const minjae = await person(web.system.url, { displayName: 'Minjae' })
  const dora = await person(web.system.url, { displayName: 'Dora' })
  await befriend(nayun.person, hana.person, minjae, dora)
  const { page } = nayun

  // Made and named.
  await chatsOf(page).click()
  await page.getByRole('button', { name: 'New group' }).click()
  const making = page.getByRole('dialog', { name: 'New group' })
  await making.getByLabel('Group name').fill('Fern club')
  for (const friend of ['Hana', 'Minjae']) await making.getByRole('checkbox', { name: friend }).check()
  await making.getByRole('button', { name: 'Make the group' }).click()
  await page.getByRole('heading', { level: 1, name: 'Fern club' }).waitFor()
  await page.getByText('3 people').waitFor()
  const roomId = new URL(page.url()).pathname.slice('/rooms/'.length)

  // Messages reach everybody, from everybody.
  await write(page, 'Welcome, you two')
  await hana.page.getByRole('link', { name: /^Notifications/ }).click()
  await hana.page.getByText('Nayun added you to Fern club').waitFor()
  await chatsOf(hana.page).getByText('1 unread').waitFor()
  await chatsOf(hana.page).click()
  await rowOf(hana.page).getByText('Nayun: Welcome, you two').waitFor()
  await rowOf(hana.page).click()
  await logOf(hana.page).getByText('Welcome, you two').waitFor()
  await write(hana.page, 'Hello from Hana')
  await logOf(page).getByText('Hello from Hana').waitFor()
  await say(minjae, roomId, 'Hello from Minjae')
  for (const one of [page, hana.page]) await logOf(one).getByText('Hello from Minjae').waitFor()
  const said = await minjae.client.get<{ items: { text: string }[] }>(`/api/rooms/${roomId}/messages`)
  assert.deepEqual(
    said.body.items.map(({ text }) => text),
    ['Hello from Minjae', 'Hello from Hana', 'Welcome, you two'],
  )

  // Somebody comes, somebody goes.
  const settings = await settingsOf(page)
  await settings.getByRole('checkbox', { name: 'Dora' }).check()
  await settings.getByRole('button', { name: 'Add', exact: true }).click()
  await settings.getByRole('listitem').filter({ hasText: 'Dora' }).waitFor()
  await settings.getByRole('button', { name: 'Close' }).click()
  for (const one of [page, hana.page]) {
    await logOf(one).getByText('Dora joined', { exact: true }).waitFor()
    await one.getByText('4 people').waitFor()
  }
  await say(dora, roomId, 'Thank you')
  await logOf(hana.page).getByText('Thank you').waitFor()
  const { status } = await minjae.client.delete(`/api/rooms/${roomId}/members/me`)
  assert.equal(status, 204)
  for (const one of [page, hana.page]) {
    await logOf(one).getByText('Minjae left', { exact: true }).waitFor()
    await one.getByText('3 people').waitFor()
  }

  // Quiet, it is in the list and in no badge.
  const quiet = await settingsOf(hana.page)
  await quiet.getByRole('button', { name: 'Mute' }).click()
  // What can be undone can be so from within the dialog, outside of which nothing can be used.
  await quiet.getByRole('button', { name: 'Undo' }).click()
  await quiet.getByRole('button', { name: 'Mute', pressed: false }).click()
  await quiet.getByRole('button', { name: 'Mute', pressed: true }).waitFor()
  await hana.page.getByRole('button', { name: 'Close' }).click()
  await chatsOf(hana.page).click()
  await say(dora, roomId, 'Psst')
  await rowOf(hana.page).getByText('1 unread').waitFor()
  assert.equal(await chatsOf(hana.page).getByText('unread').count(), 0)
  await rowOf(hana.page).click()
  await (await settingsOf(hana.page)).getByRole('button', { name: 'Mute', pressed: true }).click()
  await hana.page.getByRole('button', { name: 'Mute', pressed: false }).waitFor()
  await hana.page.getByRole('button', { name: 'Close' }).click()
  await chatsOf(hana.page).click()
  await say(dora, roomId, 'Aloud')
  await chatsOf(hana.page).getByText('1 unread').waitFor()

  // Who leaves can think again for a moment; then they are out.
  await rowOf(hana.page).click()
  await (await settingsOf(hana.page)).getByRole('button', { name: 'Leave' }).click()
  // It lasts while one points at it.
  await hana.page.getByText('You left Fern club').hover()
  await hana.page.waitForURL('/rooms')
  await rowOf(hana.page).waitFor({ state: 'detached' })
  await hana.page.getByRole('button', { name: 'Undo' }).click()
  await rowOf(hana.page).click()
  await (await settingsOf(hana.page)).getByRole('button', { name: 'Leave' }).click()
  await rowOf(hana.page).waitFor({ state: 'detached' })
  await logOf(page).getByText('Hana left', { exact: true }).waitFor()
  await page.getByText('2 people').waitFor()
  assert.equal((await hana.person.client.get(`/api/rooms/${roomId}`)).status, 404)
  assert.equal(await rowOf(hana.page).count(), 0)

  // Who is brought in again is told so, and reads on from there.
  await (await settingsOf(page)).getByRole('checkbox', { name: 'Hana' }).check()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await rowOf(hana.page).getByText('You joined').waitFor()
  await rowOf(hana.page).click()
  await logOf(hana.page).getByText('You joined').waitFor()
})

test('who leaves and closes the page at once has left', async (t) => {
  const hana = await web.member(t, { who: { displayName: 'Hana' } })
  const minjae = await person(web.system.url, { displayName: 'Minjae' })
  await befriend(minjae, hana.person)
  const made = await minjae.client.post<{ id: string }>('/api/rooms', {
    type: 'group',
    name: 'Fern club',
    userIds: [hana.person.id],
  })
  await hana.page.goto(`/rooms/${made.body.id}`)
  await (await settingsOf(hana.page)).getByRole('button', { name: 'Leave' }).click()
  await hana.page.getByText('You left Fern club').waitFor()
  await hana.page.goto('about:blank')
  await until('gone', async () => (await hana.person.client.get(`/api/rooms/${made.body.id}`)).status === 404)
})
