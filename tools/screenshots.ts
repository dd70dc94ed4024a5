// `npm run screenshots`: the pictures of the README, of a Pando of their own with people and plants in it, at 390 and 1280 pixels.
// Needs Chromium (CHROMIUM, or /usr/bin/chromium); the names are English where the machine has no Hangul.
import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, loadConfig } from '@pando/service'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { SERVICE_NAMES, startServices } from '../pando.ts'
import { startChromium } from '../test/support/chromium.ts'
import { Client } from '../test/support/client.ts'
import { logIn as tokenOf, person, type Person } from '../test/support/people.ts'
import { logIn } from '../test/support/web.ts'

const OUT = join(import.meta.dirname, '../docs/screenshots')
const WIDTHS = { 390: 844, 1280: 860 } as const

const PLANTS: [file: string, title: string, price: number, category: string][] = [
  ['cactus', 'Golden barrel, three flowers open', 22_000, 'succulent'],
  ['fern', 'Boston fern, grew up by a bathroom window', 12_000, 'foliage'],
  ['lavender', 'Balcony lavender, two years old, still flowering', 9_000, 'flowering'],
  ['olive', 'Olive tree, 1.2 m, repotted in spring', 72_000, 'tree'],
  ['pilea', 'Pilea cuttings to give away, pot not included', 0, 'foliage'],
  ['alocasia', 'Alocasia Frydek, a new leaf is coming', 45_000, 'foliage'],
]
const SAID: [mine: boolean, text: string][] = [
  [true, 'Hello! Could I see one more photo of the new leaf?'],
  [false, 'This is from this morning. In three days it will be open.'],
  [true, 'Lovely. Then I will take it for 45,000.'],
  [false, 'With the pot, or only the roots?'],
  [false, 'Tomorrow at seven, in front of the flower shop by the station?'],
]

// Before the market starts: from then on this process reads photos only, and the plants are drawings.
const photos = new Map<string, Uint8Array<ArrayBuffer>>()
for (const [plant] of PLANTS) {
  const svg = await readFile(join(import.meta.dirname, 'plants', `${plant}.svg`))
  photos.set(plant, new Uint8Array(await sharp(svg, { density: 180 }).jpeg({ quality: 90 }).toBuffer()))
}
const folder = await mkdtemp(join(tmpdir(), 'pando-screenshots-'))
// As root, PostgreSQL runs as another user, which must be able to enter.
await chmod(folder, 0o755)
const closing: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })]
const scope = { after: (close: () => unknown) => void closing.unshift(close) }
try {
  await takeAll()
} finally {
  for (const close of closing) await close()
}

async function takeAll(): Promise<void> {
  const admin = { username: 'operator', password: 'a-long-password' }
  const config = loadConfig({
    PORT: '0',
    METRICS_PORT: 'off',
    DATA_DIR: join(folder, 'data'),
    RATE_LIMIT: 'off',
    ADMIN_USERNAME: admin.username,
    ADMIN_PASSWORD: admin.password,
  })
  const pando = await startServices(SERVICE_NAMES, { config, log: createLog({ level: 'error', name: 'screenshots' }) })
  scope.after(() => pando.stop())
  const browser = await startChromium(scope)
  const { url } = pando

  const [me, seller] = await Promise.all([
    person(url, { displayName: 'Nayun' }),
    person(url, { displayName: 'Minjae' }),
  ])
  const operator = new Client(url, { token: await tokenOf(url, admin) })
  await operator.patch('/api/me', { locale: 'en' })
  await Promise.all([me, seller].map(({ client }) => client.patch('/api/me', { locale: 'en' })))
  await seller.client.patch('/api/me', { statusMessage: 'Lives with forty-one pots on a balcony' })
  let postId = ''
  for (const [file, title, price, category] of PLANTS) {
    const imageId = await upload(url, seller, file)
    const content = 'Two years by a bright window, never in the sun.\n\nIt likes a drink when the soil is dry.'
    const made = await seller.client.post<{ id: string }>('/api/posts', {
      title,
      content,
      price,
      category,
      imageIds: [imageId],
    })
    assert.equal(made.status, 201, made.text)
    postId = made.body.id
  }
  await me.client.put(`/api/posts/${postId}/wish`)
  const room = await seller.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
  for (const [mine, text] of SAID)
    await (mine ? me : seller).client.post(`/api/rooms/${room.body.id}/messages`, {
      clientMessageId: crypto.randomUUID(),
      text,
    })

  for (const [width, height] of Object.entries(WIDTHS)) {
    const context = await browser.newContext({
      baseURL: url,
      locale: 'en-GB',
      reducedMotion: 'reduce',
      viewport: { width: Number(width), height },
    })
    const page = await context.newPage()
    const take = (name: string): Promise<unknown> => shoot(page, `${name}-${width}`)
    await page.goto(`/sign-up?saga=${me.sagaId}`)
    await page.getByRole('list', { name: 'Sign-up progress' }).waitFor()
    await take('sign-up')
    await logIn(page, me)
    await page.locator('.post').first().waitFor()
    await take('home')
    await page.goto(`/posts/${postId}`)
    await page.locator('.info h1').waitFor()
    await take('post')
    await page.goto(`/rooms/${room.body.id}`)
    await page.locator('.bubble').first().waitFor()
    await take('room')
    await context.clearCookies()
    await page.evaluate('localStorage.clear()')
    await logIn(page, admin)
    await page.goto(`/admin/sagas/sign-up/${me.sagaId}`)
    await page.locator('.event').first().waitFor()
    await take('saga')
    await context.close()
  }
}

async function upload(url: string, { token }: Person, plant: string): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([photos.get(plant)!]))
  const response = await fetch(new URL('/api/images', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
  })
  assert.equal(response.status, 201)
  return ((await response.json()) as { id: string }).id
}

/** When all that is on the page has come. */
async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForLoadState('domcontentloaded')
  await page.waitForFunction('[...document.images].every((image) => image.complete || image.loading === "lazy")')
  await page.waitForFunction('document.querySelector(".skeleton") === null')
  const png = await page.screenshot()
  await sharp(png)
    .png({ palette: true, quality: 90, compressionLevel: 9 })
    .toFile(join(OUT, `${name}.png`))
  console.log(`docs/screenshots/${name}.png`)
}
