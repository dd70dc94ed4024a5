// From a sign-up in one browser to the first message in another, and back.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { newcomer } from '../support/people.ts'
import { signUp, startWeb } from '../support/web.ts'

const web = await startWeb({ after })

test('somebody signs up, finds a friend, and the two talk', async (t) => {
  const minjae = await web.member(t, { who: { displayName: 'Minjae' } })
  const { page } = await web.stranger(t)
  await signUp(page, newcomer({ displayName: 'Nayun' }))
  await page.getByRole('link', { name: 'Me', exact: true }).click()
  await page.getByRole('link', { name: 'Friends' }).click()
  await page.getByLabel('Find people').fill('Minj')
  await page.getByRole('button', { name: 'Add friend' }).click()
  const friend = page.getByRole('list', { name: 'Friends' }).getByRole('listitem').filter({ hasText: 'Minjae' })
  await friend.getByText('Here now').waitFor()
  await friend.getByRole('button', { name: 'Chat' }).click()

  await page.getByRole('textbox', { name: 'Message' }).fill('Hello, is the fern still there?')
  await page.keyboard.press('Enter')
  const log = page.getByRole('log', { name: 'Messages' })
  await log.getByText('Hello, is the fern still there?').waitFor()

  const chats = minjae.page.getByRole('link', { name: /^Chats/ })
  await chats.getByText('1 unread').waitFor()
  await chats.click()
  await minjae.page.getByRole('list', { name: 'Chats' }).getByRole('link', { name: /Nayun/ }).click()
  const other = minjae.page.getByRole('log', { name: 'Messages' })
  await other.getByText('Hello, is the fern still there?').waitFor()
  await other.getByText('New messages from here').waitFor()
  await log.getByText('Read', { exact: true }).waitFor()
  await chats.getByText('unread').waitFor({ state: 'detached' })

  await minjae.page.getByRole('textbox', { name: 'Message' }).pressSequentially('Yes')
  await page.getByText('Minjae is typing').waitFor()
  await minjae.page.getByRole('button', { name: 'Send' }).click()
  await log.getByText('Yes', { exact: true }).waitFor()
  assert.equal(await log.getByText('Hello, is the fern still there?').count(), 1)
  assert.equal(await other.getByText('Yes', { exact: true }).count(), 1)
})
