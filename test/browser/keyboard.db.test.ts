// Without a pointer: every step by the keyboard.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { focused, tabTo } from '../support/keyboard.ts'
import { person } from '../support/people.ts'
import { startWeb } from '../support/web.ts'

const web = await startWeb({ after })
const friend = await person(web.system.url, { displayName: 'Hana' })

test('log in, go to a chat, write, and come back', async (t) => {
  const { page, context, person: me } = await web.member(t)
  await page.evaluate('localStorage.clear()')
  // Away from the page, which would go on asking.
  await page.goto('about:blank')
  await context.clearCookies()
  const room = await friend.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })

  await page.goto('/')
  await page.getByRole('link', { name: 'Log in' }).waitFor()
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'A Skip to content')
  await tabTo(page, 'Log in')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Welcome back' }).waitFor()
  assert.match(await focused(page), /^H1 /)
  await tabTo(page, 'Username')
  await page.keyboard.type(me.username)
  await tabTo(page, 'Password')
  await page.keyboard.type(me.password)
  await page.keyboard.press('Enter')
  await page.waitForURL((address) => address.pathname === '/')

  await tabTo(page, /^Chats/)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Chats' }).waitFor()
  await page.getByRole('list', { name: 'Chats' }).getByRole('link').waitFor()
  await tabTo(page, /Hana/)
  await page.keyboard.press('Enter')
  await page.waitForURL(`/rooms/${room.body.id}`)
  await page.getByRole('log', { name: 'Messages' }).waitFor()
  await tabTo(page, 'Message')
  await page.keyboard.type('By keyboard')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('in two lines')
  await page.keyboard.press('Enter')
  await page.locator('.bubble', { hasText: 'in two lines' }).waitFor()
  assert.equal(await page.locator('.bubble').textContent(), 'By keyboard\nin two lines')
  assert.match(await focused(page), /^TEXTAREA/)
  await page.keyboard.press('Escape')
  await page.getByRole('heading', { level: 1, name: 'Chats' }).waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('fern')
  await page.keyboard.press('Enter')
  await page.waitForURL('/?query=fern')
})

test('a dialog gives the focus back', async (t) => {
  const { page } = await web.member(t)
  await page.goto('/settings')
  const opener = page.getByRole('button', { name: 'Delete account' })
  await opener.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'Delete your account?' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  assert.equal(await focused(page), 'BUTTON Delete account')
})
