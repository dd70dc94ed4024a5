// The operator's pages of what is stuck: keys that are parked, and how far behind everybody is.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test, type TestContext } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Locator, Page } from 'playwright-core'
import { Client } from '../support/client.ts'
import { OPERATOR, operator as boss } from '../support/operator.ts'
import { logIn as tokenOf, newcomer, sagaEnded, type SignedUp } from '../support/people.ts'
import { until } from '../support/until.ts'
import { logIn, startWeb } from '../support/web.ts'

const web = await startWeb({ after }, { env: OPERATOR })
const { databases, transport, url } = web.system
await new Client(url, { token: await tokenOf(url, boss) }).patch('/api/me', { locale: 'en' })

async function operator(t: TestContext, path: string, width?: number): Promise<Page> {
  const { page } = await web.stranger(t, width === undefined ? {} : { width })
  await logIn(page, boss)
  await page.goto(path)
  return page
}

/** What the page shows of a key, under the service and the error that it stands under. */
const parkedOf = (page: Page, service: string, key: string): Locator =>
  page
    .locator('.parked-group')
    .filter({ has: page.getByRole('heading', { level: 2, name: new RegExp(`^${service}: `) }) })
    .getByRole('article')
    .filter({ has: page.getByRole('heading', { level: 3, name: key }) })

test('a parked key is shown with its error; sent again too early it stays, sent again later it goes', async (t) => {
  const who = newcomer({ displayName: 'Trap' })
  // The chat cannot take this member, as long as the trap is there.
  await databases.chat.query(`alter table chat.member add constraint trap check (display_name not like 'Trap%')`)
  const { body, headers } = await new Client(url).post<SignedUp>('/api/users', who)
  const page = await operator(t, '/admin/parked')
  const parked = parkedOf(page, 'chat', body.userId)
  await parked.waitFor()
  await page.getByRole('heading', { level: 2, name: /^chat: .*"trap"/ }).waitFor()
  await parked.getByText('Attempts 4').waitFor()
  await parked.getByText('user.sign-up-started').click()
  await parked.getByText(`"username": "${who.username}"`).waitFor()
  const { violations } = await new AxeBuilder({ page }).analyze()
  assert.deepEqual(violations, [])

  await parked.getByRole('button', { name: 'Send again' }).click()
  await parked.getByRole('status').getByText('Parked again').waitFor()
  await parked.getByText('Attempts 5').waitFor()

  await databases.chat.query('alter table chat.member drop constraint trap')
  await parked.getByRole('button', { name: 'Send again' }).click()
  await page.getByText(`chat ${body.userId}: Handled`).waitFor()
  await parked.waitFor({ state: 'detached' })
  assert.equal((await sagaEnded(new Client(url), headers.location!)).status, 'completed')

  // What it took stands in the picture of the saga: five attempts failed before the one that made the answer.
  await page.goto(`/admin${headers.location!.slice('/api'.length)}`)
  const lanes = page.getByRole('group', { name: 'Events by service, first to last' })
  await lanes.getByText('chat: attempts 1 to 5 failed').waitFor()
  await lanes.getByRole('button', { name: /^chat: member added\b.*attempt 6$/ }).waitFor()

  // On a phone the columns are rails, with the dots of each service on its own.
  const phone = await operator(t, new URL(page.url()).pathname, 390)
  await phone.getByText('chat: attempts 1 to 5 failed').waitFor()
  assert.equal(await phone.locator('.arrows .rail').count(), 3)
  const rails = new Map<string, Set<number>>()
  for (const event of await phone.locator('.event').all()) {
    const service = (await event.getAttribute('data-lane'))!
    const dot = (await event.locator('.node').boundingBox())!
    assert.equal(dot.width, dot.height)
    rails.set(service, (rails.get(service) ?? new Set()).add(dot.x))
  }
  assert.deepEqual(
    [...rails.values()].map(({ size }) => size),
    [1, 1, 1],
    'one rail for each service',
  )
  assert.equal(new Set([...rails.values()].flatMap((places) => [...places])).size, 3)
  assert.deepEqual((await new AxeBuilder({ page: phone }).analyze()).violations, [])
})

test('a key that is given up goes, and its reason is kept', async (t) => {
  const key = randomUUID()
  await transport.publish([{ id: randomUUID(), topic: 'user', key, type: 'user.deleted', body: 'not even JSON' }])
  const page = await operator(t, '/admin/parked')
  for (const service of ['chat', 'customer']) await parkedOf(page, service, key).waitFor()
  await parkedOf(page, 'chat', key).getByRole('button', { name: 'Discard' }).click()
  const dialog = page.getByRole('dialog', { name: 'Give these events up?' })
  await dialog.getByLabel('Reason').press('Enter')
  assert.ok(await dialog.isVisible(), 'not without a reason')
  await dialog.getByLabel('Reason').fill('sent by mistake')
  await dialog.getByRole('button', { name: 'Discard' }).click()
  await parkedOf(page, 'chat', key).waitFor({ state: 'detached' })
  assert.ok(await parkedOf(page, 'customer', key).isVisible(), 'only in the service that was named')
  const kept = await databases.chat.query('select reason, body from saga.discarded_event where key = $1', [key])
  assert.deepEqual(kept, [{ reason: 'sent by mistake', body: 'not even JSON' }])
})

test('the lag of each service: what it has not sent, and what it has not read', async (t) => {
  // A topic that does not exist: the relay keeps it.
  await databases.user.query(
    `insert into saga.outbox (id, topic, key, type, body, appended_at) values ($1, 'nowhere', 'x', 'test.made', '{}', now() - interval '5 minutes')`,
    [randomUUID()],
  )
  await web.system.services.find(({ name }) => name === 'customer')!.worker.consumer.stop()
  for (let i = 0; i < 3; i++)
    await transport.publish([{ id: randomUUID(), topic: 'user', key: 'same', type: 'test.made', body: '{}' }])

  const page = await operator(t, '/admin/lag')
  const lagOf = (service: string): Locator =>
    page.locator('.lag').filter({ has: page.getByRole('heading', { level: 2, name: service }) })
  const factOf = (service: string, name: string): Promise<string> =>
    lagOf(service).locator('dl > div').filter({ hasText: name }).locator('dd').innerText()
  await lagOf('user').waitFor()
  const titles = await page.getByRole('heading', { level: 2 }).allTextContents()
  assert.deepEqual(titles.toSorted(), ['chat', 'customer', 'market', 'notification', 'user'])
  assert.equal(await factOf('user', 'Unsent'), '1')
  assert.equal(await factOf('user', 'Oldest'), '5 min')
  assert.equal(await lagOf('customer').locator('td.behind').innerText(), '3')
  const rows = await lagOf('chat').getByRole('row').count()
  assert.equal(rows, 1 + 2 * 16, 'a row for each partition of what it reads')

  // The page asks again by itself.
  await databases.user.query(`delete from saga.outbox where topic = 'nowhere'`)
  await until('nothing unsent', async () => (await factOf('user', 'Unsent')) === '0')
})
