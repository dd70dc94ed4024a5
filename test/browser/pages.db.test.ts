// Each page, in both languages, themes and widths: no error in the console, nothing that axe finds, no scrolling sideways.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { person } from '../support/people.ts'
import { openRoom, say } from '../support/talk.ts'
import { logIn, startWeb } from '../support/web.ts'

const admin = { username: 'operator', password: 'a-long-password' }
const web = await startWeb({ after }, { env: { ADMIN_USERNAME: admin.username, ADMIN_PASSWORD: admin.password } })
const friend = await person(web.url, { displayName: 'Hana Green' })
const post = await friend.client.post<{ id: string }>('/api/posts', {
  title: '알로카시아 프라이덱, 속잎 나오는 중',
  content: 'Grown by a window.\n\nIt likes light.',
  price: 45_000,
  category: 'foliage',
})
assert.equal(post.status, 201, post.text)

/** Where to go, and what is there when the page has come to rest. */
const PAGES: [path: string, sign: string][] = [
  ['/', '.post'],
  ['/?query=nowhere&sort=popular', '.empty'],
  [`/posts/${post.body.id}`, '.info h1'],
  ['/posts/new', '.post-form'],
  ['/me', '.profile'],
  ['/me?tab=wallet', '.balance'],
  ['/me?tab=keywords', 'main form'],
  ['/rooms', '.room-row'],
  ['/rooms/ROOM', '.bubble'],
  ['/friends', '.list .person'],
  ['/notifications', '.notice'],
  ['/settings', '.settings .person'],
  ['/nowhere', '.empty h1'],
]
const OPERATORS_PAGES: typeof PAGES = [
  ['/admin/sagas', 'tbody a'],
  [`/admin/sagas/sign-up/${friend.sagaId}`, '.event[aria-current]'],
  ['/admin/parked', '.empty'],
  ['/admin/lag', '.lag table'],
]
const STRANGERS_PAGES: typeof PAGES = [
  ['/', '.post'],
  ['/sign-up', 'main form'],
  ['/log-in', 'main form'],
  [`/posts/${post.body.id}`, '.info h1'],
]

const WIDE = /^\/($|posts\/.{36}|rooms|notifications|settings|sign-up|admin\/sagas)/

/** What is wrong with a page. */
async function faultsOf(page: Page, path: string, sign: string): Promise<string[]> {
  await page.goto(path)
  await page.locator(sign).first().waitFor()
  // It is slow: on a wide screen only pages that look different there are looked at again.
  const isWide = (page.viewportSize()?.width ?? 0) > 1_000
  const { violations } = isWide && !WIDE.test(path) ? { violations: [] } : await new AxeBuilder({ page }).analyze()
  const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
  for (const landmark of ['h1', 'main'])
    if ((await page.locator(landmark).count()) !== 1) faults.push(`not one ${landmark}`)
  const wider = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  if (wider > 0) faults.push(`scrolls sideways by ${wider} px`)
  return faults.map((fault) => `${path} ${fault}`)
}

const WINDOWS = [
  { language: 'ko', width: 320, theme: 'light' },
  { language: 'en', width: 1280, theme: 'dark' },
] as const

// Each page is gone through by axe, which takes some seconds on a slow machine.
const PATIENCE = { timeout: 180_000 }

for (const window of WINDOWS) {
  const name = Object.values(window).join(', ')
  test(`pages of a member: ${name}`, PATIENCE, async (t) => {
    const { page, person: me } = await web.member(t, window)
    await friend.client.put(`/api/friends/${me.id}`)
    const roomId = await openRoom(friend, { type: 'direct', userId: me.id })
    for (const who of [friend, me]) await say(who, roomId, '안녕하세요! Hello.')
    const faults: string[] = []
    for (const [path, sign] of PAGES) faults.push(...(await faultsOf(page, path.replace('ROOM', roomId), sign)))
    assert.deepEqual(faults, [])
    assert.equal(await page.locator('html').getAttribute('lang'), window.language)
  })

  test(`pages of a stranger: ${name}`, PATIENCE, async (t) => {
    const { page } = await web.stranger(t, window)
    const faults: string[] = []
    for (const [path, sign] of STRANGERS_PAGES) faults.push(...(await faultsOf(page, path, sign)))
    assert.deepEqual(faults, [])
    await page.goto('/rooms')
    await page.waitForURL(/\/log-in\?to=%2Frooms$/)
  })

  test(`pages of the operator: ${name}`, PATIENCE, async (t) => {
    const { page } = await web.stranger(t, window)
    await logIn(page, admin)
    const faults: string[] = []
    for (const [path, sign] of OPERATORS_PAGES) faults.push(...(await faultsOf(page, path, sign)))
    assert.deepEqual(faults, [])
  })
}

test('an operator’s page shows a saga’s events by service; others are told that it is not for them', async (t) => {
  const { page } = await web.stranger(t)
  await logIn(page, admin)
  await page.goto('/admin/sagas')
  await page.locator('tbody a').first().waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.getByRole('group').getByRole('button').first().waitFor()
  const services = await page
    .locator('.event')
    .evaluateAll((events) => events.map((event) => (event as unknown as { dataset: { lane: string } }).dataset.lane))
  assert.deepEqual([...new Set(services)].toSorted(), ['chat', 'customer', 'user'])
  const { page: other, errors } = await web.member(t)
  await other.goto('/admin/sagas')
  await other.getByRole('heading', { name: 'This is for operators' }).waitFor()
  assert.equal(await other.locator('table').count(), 0)
  assert.deepEqual(errors, [])
})
