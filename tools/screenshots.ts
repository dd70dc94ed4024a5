// `npm run screenshots`: the pictures of the README, of a Pando of their own with people and plants in it, at 390 and 1280 pixels.
// Needs Chromium (CHROMIUM, or /usr/bin/chromium), and for the Korean ones a font with Hangul (fonts-noto-cjk on Debian).
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
import { becomes, IMAGES_ARE_THERE } from '../test/support/page-watch.ts'
import { logIn as tokenOf, person, type Person } from '../test/support/people.ts'
import { logIn } from '../test/support/web.ts'
import { en as englishWords } from '../web/src/words/en.ts'
import { ko as koreanWords } from '../web/src/words/ko.ts'

const OUT = join(import.meta.dirname, '../docs/screenshots')
const WIDTHS = { 390: 844, 1280: 860 } as const

const PLANTS: [file: string, en: string, ko: string, price: number, category: string][] = [
  ['cactus', 'Golden barrel, three flowers open', '금호 선인장, 꽃 세 송이 피었어요', 22_000, 'succulent'],
  ['fern', 'Boston fern, grew up by a bathroom window', '보스턴고사리, 욕실 창가에서 자랐어요', 12_000, 'foliage'],
  [
    'lavender',
    'Balcony lavender, two years old, still flowering',
    '베란다 라벤더, 2년생, 아직 꽃이 있어요',
    9_000,
    'flowering',
  ],
  ['olive', 'Olive tree, 1.2 m, repotted in spring', '올리브나무 1.2m, 봄에 분갈이했어요', 72_000, 'tree'],
  ['pilea', 'Pilea cuttings to give away, pot not included', '필레아 삽수 나눔해요, 화분은 빼고요', 0, 'foliage'],
  ['alocasia', 'Alocasia Frydek, a new leaf is coming', '알로카시아 프라이덱, 새잎이 나와요', 45_000, 'foliage'],
]
const SAID: [mine: boolean, en: string, ko: string][] = [
  [true, 'Hello! Could I see one more photo of the new leaf?', '안녕하세요! 새잎 사진 한 장 더 볼 수 있을까요?'],
  [
    false,
    'This is from this morning. In three days it will be open.',
    '오늘 아침에 찍은 거예요. 사흘 뒤면 다 펴질 것 같아요.',
  ],
  [true, 'Lovely. Then I will take it for 45,000.', '예쁘네요. 그럼 45,000원에 데려갈게요.'],
  [false, 'With the pot, or only the roots?', '화분째로 드릴까요, 뿌리만 드릴까요?'],
  [false, 'Tomorrow at seven, in front of the flower shop by the station?', '내일 일곱 시에 역 앞 꽃집 앞에서 뵐까요?'],
]
const words = { en: englishWords, ko: koreanWords }
const TEXTS = {
  en: {
    me: 'Nayun',
    seller: 'Minjae',
    status: 'Lives with forty-one pots on a balcony',
    content: 'Two years by a bright window, never in the sun.\n\nIt likes a drink when the soil is dry.',
  },
  ko: {
    me: '나윤',
    seller: '민재',
    status: '베란다에서 화분 마흔한 개와 살아요',
    content: '밝은 창가에서 2년 키웠고, 직사광선은 받지 않았어요.\n\n흙이 마르면 물을 주세요.',
  },
}

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
  await takeAll('en')
  await takeAll('ko')
} finally {
  for (const close of closing) await close()
}

async function takeAll(language: 'en' | 'ko'): Promise<void> {
  const texts = TEXTS[language]
  const admin = { username: 'operator', password: 'a-long-password' }
  const config = loadConfig({
    PORT: '0',
    METRICS_PORT: 'off',
    DATA_DIR: join(folder, language),
    RATE_LIMIT: 'off',
    ADMIN_USERNAME: admin.username,
    ADMIN_PASSWORD: admin.password,
  })
  const pando = await startServices(SERVICE_NAMES, { config, log: createLog({ level: 'error', name: 'screenshots' }) })
  scope.after(() => pando.stop())
  const browser = await startChromium(scope)
  const { url } = pando

  const [me, seller] = await Promise.all([
    person(url, { displayName: texts.me }),
    person(url, { displayName: texts.seller }),
  ])
  const operator = new Client(url, { token: await tokenOf(url, admin) })
  await Promise.all([operator, me.client, seller.client].map((client) => client.patch('/api/me', { locale: language })))
  await seller.client.patch('/api/me', { statusMessage: texts.status })
  let postId = ''
  for (const [file, en, ko, price, category] of PLANTS) {
    const imageId = await upload(url, seller, file)
    const made = await seller.client.post<{ id: string }>('/api/posts', {
      title: { en, ko }[language],
      content: texts.content,
      price,
      category,
      imageIds: [imageId],
    })
    assert.equal(made.status, 201, made.text)
    postId = made.body.id
  }
  await me.client.put(`/api/posts/${postId}/wish`)
  const room = await seller.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
  for (const [mine, en, ko] of SAID)
    await (mine ? me : seller).client.post(`/api/rooms/${room.body.id}/messages`, {
      clientMessageId: crypto.randomUUID(),
      text: { en, ko }[language],
    })

  for (const [width, height] of Object.entries(WIDTHS)) {
    const context = await browser.newContext({
      baseURL: url,
      locale: language === 'ko' ? 'ko-KR' : 'en-GB',
      reducedMotion: 'reduce',
      viewport: { width: Number(width), height },
    })
    const page = await context.newPage()
    const take = (name: string): Promise<unknown> =>
      shoot(page, `${name}${language === 'en' ? '' : `-${language}`}-${width}`)
    await page.goto(`/sign-up?saga=${me.sagaId}`)
    await page.getByRole('list', { name: words[language]['sign-up.steps'] }).waitFor()
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
  await becomes(page, 'document.querySelector(".skeleton") === null')
  await becomes(page, IMAGES_ARE_THERE)
  const png = await page.screenshot()
  await sharp(png)
    .png({ palette: true, quality: 90, compressionLevel: 9 })
    .toFile(join(OUT, `${name}.png`))
  console.log(`docs/screenshots/${name}.png`)
}
