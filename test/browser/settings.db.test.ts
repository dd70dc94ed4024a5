// Who one is, how one gets in, and where one is in.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { befriend } from '../support/people.ts'
import { logIn, startWeb } from '../support/web.ts'

const web = await startWeb({ after })

test('a friend sees the new name and the status message, in the list of friends and in the chat', async (t) => {
  const nayun = await web.member(t, { who: { displayName: 'Nayun' } })
  const hana = await web.member(t, { who: { displayName: 'Hana' } })
  await befriend(nayun.person, hana.person)
  await nayun.person.client.post('/api/rooms', { type: 'direct', userId: hana.person.id })
  const { page } = nayun
  await page.goto('/rooms')
  const row = page.getByRole('list', { name: 'Chats' }).getByRole('link')
  await row.filter({ hasText: 'Hana' }).waitFor()

  await hana.page.goto('/settings')
  const name = hana.page.getByLabel('Display name')
  await name.fill(' ')
  await hana.page.getByText('1 to 40 characters').waitFor()
  await name.fill('Hana Kim')
  await hana.page.getByLabel('Status message').fill('Away until Sunday')
  await hana.page.getByRole('button', { name: 'Save' }).click()
  await hana.page.getByText('Saved', { exact: true }).waitFor()

  // The chat that is open is told; the list of friends is as it is when one goes there.
  await row.filter({ hasText: 'Hana Kim' }).waitFor()
  await page.goto('/friends')
  const friend = page.getByRole('list', { name: 'Friends' }).getByRole('listitem').filter({ hasText: 'Hana Kim' })
  await friend.getByText('Away until Sunday').waitFor()

  await hana.page.reload()
  await hana.page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
  assert.equal(await name.inputValue(), 'Hana Kim')
  assert.equal(await hana.page.getByLabel('Status message').inputValue(), 'Away until Sunday')
})

test('a new password takes the place of the old one', async (t) => {
  const { page, person: me, errors } = await web.member(t)
  const password = 'another-long-password'
  await page.goto('/settings')
  const [current, next] = [page.getByLabel('Current password'), page.getByLabel('New password')]
  const change = page.getByRole('button', { name: 'Change password' })
  await current.fill('not the password')
  await next.fill('short')
  await page.getByText('10 to 200 characters').waitFor()
  await next.fill(password)
  await change.click()
  await page.getByText('That is not your password').waitFor()
  assert.match(errors.pop()!, /403 .*\/api\/me\/password$/)
  await current.fill(me.password)
  await change.click()
  await page.getByText('The password is changed').waitFor()
  assert.equal(await current.inputValue(), '')

  await page.getByRole('button', { name: 'Log out', exact: true }).last().click()
  await page.getByRole('navigation').getByRole('link', { name: 'Log in' }).click()
  await page.getByLabel('Username').fill(me.username)
  await page.getByLabel('Password', { exact: true }).fill(me.password)
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click()
  await page.getByText('This name and password do not belong together').waitFor()
  assert.match(errors.pop()!, /401 .*\/api\/sessions$/)
  await logIn(page, { ...me, password })
  await page.getByRole('link', { name: 'Me', exact: true }).waitFor()
})

test('a device that is logged out from another one is told so, and goes on where it was', async (t) => {
  const { page, person: me } = await web.member(t)
  const other = await web.stranger(t)
  await logIn(other.page, me)
  await other.page.goto('/notifications')
  await other.page.getByRole('heading', { level: 1, name: 'Notifications' }).waitFor()
  const requests: string[] = []
  other.page.on('request', (request) => requests.push(new URL(request.url()).pathname))

  await page.goto('/settings')
  const devices = page.getByRole('list', { name: 'Devices' }).getByRole('listitem')
  await devices.filter({ hasText: 'This device' }).waitFor()
  // The log-ins by the form, and the one by which the test itself asks.
  assert.equal(await devices.count(), 3)
  await devices
    .filter({ hasText: 'Chrome, Linux', hasNotText: 'This device' })
    .getByRole('button', { name: 'Log out' })
    .click()
  await devices.nth(2).waitFor({ state: 'detached' })

  await other.page.waitForURL('/log-in?to=%2Fnotifications')
  await other.page.getByText('You have been logged out. Log in to go on.').waitFor()
  // The stream and the refresh token were refused.
  for (const error of other.errors.splice(0)) assert.match(error, /401 .*\/api\/(stream|sessions\/refresh)/)
  // Why there is no stream any more, whether there can be one, and then nothing: not as nobody, which a slow page would see refused late.
  assert.deepEqual(
    requests.filter((path) => /^\/api\/(stream|sessions)/.test(path)),
    ['/api/stream', '/api/sessions/refresh'],
  )
  await other.page.getByLabel('Username').fill(me.username)
  await other.page.getByLabel('Password', { exact: true }).fill(me.password)
  await other.page.getByRole('main').getByRole('button', { name: 'Log in' }).click()
  await other.page.waitForURL('/notifications')

  // This device is still in; who logs out by themselves is told nothing.
  await page.getByRole('button', { name: 'Log out everywhere' }).click()
  await page.getByRole('navigation').getByRole('link', { name: 'Log in' }).click()
  await page.getByText('Your plants, chats and wallet are where you left them.').waitFor()
  await other.page.waitForURL('/log-in?to=%2Fnotifications')
  for (const error of other.errors.splice(0)) assert.match(error, /401 .*\/api\/(stream|sessions\/refresh)/)
})

test('nobody is logged out because tokens cannot be renewed for a while', async (t) => {
  const { page, context, errors } = await web.member(t)
  const renewals = '**/api/sessions/refresh'
  await page.route(renewals, (route) => route.fulfill({ status: 503, body: '{}' }))
  // As when it has run out.
  await context.clearCookies({ name: 'pando_access' })
  await page.goto('/settings')
  await page.getByText('We are too busy right now').waitFor()
  await page.reload()
  await page.getByText('We are too busy right now').waitFor()
  for (const error of errors.splice(0)) assert.match(error, /(401|503) .*\/api\//)

  await page.unroute(renewals)
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('list', { name: 'Devices' }).waitFor()
  for (const error of errors.splice(0)) assert.match(error, /401 .*\/api\//)
})
