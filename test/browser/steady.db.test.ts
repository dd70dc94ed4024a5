// Nothing moves by itself: not when what was asked for comes, not when images do, not when others do something.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { draw } from '../../tools/demo/picture.ts'
import { becomes, drawn, IMAGES_ARE_THERE, shiftOf, watchShifts } from '../support/page-watch.ts'
import { person, type Person } from '../support/people.ts'
import { offer } from '../support/posts.ts'
import { startWeb } from '../support/web.ts'

/** What browsers' makers call good is 0.1. */
const MOST = 0.05

// Before the market starts: from then on this process reads photos only, and the plants are drawings.
const photo = new Blob([new Uint8Array(await draw('fern', 'fronds', 120))])
const web = await startWeb({ after })
const seller = await person(web.system.url, { displayName: 'Minjae' })
const others = await Promise.all(Array.from({ length: 6 }, () => person(web.system.url)))
let postId = ''
for (let i = 0; i < 6; i++) {
  const imageIds = [await upload(seller), await upload(seller)]
  postId = (await offer(seller, { title: `Fern ${i}, grown by a window`, imageIds })).id
}

async function upload({ token }: Person): Promise<string> {
  const form = new FormData()
  form.set('file', photo)
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(new URL('/api/images', web.system.url), { method: 'POST', headers, body: form })
  assert.equal(response.status, 201)
  return ((await response.json()) as { id: string }).id
}

async function send(who: Person, roomId: string, content: { text: string } | { imageId: string }): Promise<void> {
  const message = { clientMessageId: crypto.randomUUID(), ...content }
  const { status, text } = await who.client.post(`/api/rooms/${roomId}/messages`, message)
  assert.equal(status, 201, text)
}

/** Answers to these wait until they are let go. */
async function hold(page: Page, address: string | RegExp): Promise<() => void> {
  const gate = Promise.withResolvers<void>()
  await page.route(address, async (route) => {
    await gate.promise
    await route.continue()
  })
  return gate.resolve
}

/** `held`: what the page waits for, with something in its place. */
const PAGES: { path: string; sign: string; held: RegExp; hasImages: boolean }[] = [
  { path: '/', sign: '.post h2', held: /\/api\/posts\?/, hasImages: true },
  { path: '/posts/POST', sign: '.info h1', held: /\/api\/posts\/[^/?]+$/, hasImages: true },
  { path: '/rooms', sign: '.room-row', held: /\/api\/rooms\?/, hasImages: false },
  { path: '/rooms/ROOM', sign: '.bubble', held: /\/api\/rooms\/[^/]+\/messages/, hasImages: true },
]

for (const width of [390, 1280])
  test(`pages of a member stand still: ${width} px`, async (t) => {
    const { page, context, person: me } = await web.member(t, { width, height: 844 })
    let roomId = ''
    for (const other of [...others, seller]) {
      const room = await other.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
      roomId = room.body.id
      await send(other, roomId, { text: 'Hello! Is the fern still there? I could come and get it on Saturday.' })
    }
    for (let i = 0; i < 30; i++) await send(i % 4 === 0 ? me : seller, roomId, { text: `Message ${i}` })
    await send(seller, roomId, { imageId: await upload(seller) })
    await send(seller, roomId, { text: 'This is from this morning.' })
    await watchShifts(context)

    for (const { path, sign, held, hasImages } of PAGES) {
      const [letGo, letImagesGo] = [await hold(page, held), await hold(page, /\/api\/images\//)]
      await page.goto(path.replace('POST', postId).replace('ROOM', roomId))
      await page.locator('.skeleton').first().waitFor()
      await drawn(page)
      letGo()
      await page.locator(sign).first().waitFor()
      await drawn(page)
      letImagesGo()
      if (hasImages) await becomes(page, '[...document.images].some(({ naturalWidth }) => naturalWidth > 0)')
      await becomes(page, IMAGES_ARE_THERE)
      // What others do meanwhile.
      const before = await page.title()
      await send(seller, roomId, { text: `For ${path}` })
      await (path === '/rooms/ROOM'
        ? page.locator('.log .bubble').getByText(`For ${path}`).waitFor()
        : becomes(page, `document.title !== ${JSON.stringify(before)}`))
      const { sum, what } = await shiftOf(page)
      assert.ok(sum < MOST, `${path} ${sum}: ${what}`)
      await page.unrouteAll({ behavior: 'ignoreErrors' })
    }
  })

for (const width of [390, 1280])
  test(`the form of a sign-up stands still: ${width} px`, async (t) => {
    const { page, context } = await web.stranger(t, { width, height: 844 })
    await watchShifts(context)
    await page.goto('/sign-up')
    await page.locator('form').waitFor()
    const { sum, what } = await shiftOf(page)
    assert.ok(sum < MOST, `${sum}: ${what}`)
  })

for (const width of [390, 1280])
  test(`new posts wait behind a pill, which moves nothing: ${width} px`, async (t) => {
    const { page, context } = await web.stranger(t, { width, height: 844 })
    await watchShifts(context)
    await page.clock.install()
    await page.goto('/')
    await page.locator('.post h2').first().waitFor()
    await drawn(page)
    await offer(seller, { title: 'One more fern' })
    await page.clock.fastForward('01:01')
    await page.getByRole('button', { name: '1 new' }).waitFor()
    const { sum, what } = await shiftOf(page)
    assert.ok(sum < MOST, `${sum}: ${what}`)
  })
