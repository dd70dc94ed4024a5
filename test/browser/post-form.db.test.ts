// A post as it is written: photos, what is wrong with it in words, and nothing lost on the way.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import sharp from 'sharp'
import { until } from '../support/until.ts'
import { startWeb } from '../support/web.ts'

const web = await startWeb({ after })

/** A photo of one colour. */
async function photo(format: 'png' | 'jpeg', background: string) {
  const buffer = await sharp({ create: { width: 400, height: 500, channels: 3, background } })
    .toFormat(format)
    .toBuffer()
  return { name: `plant.${format}`, mimeType: `image/${format}`, buffer }
}

/** The address of a picture, when it is really there. */
const shown = (picture: Locator): Promise<string> =>
  until('the picture', async () => {
    const { width, address } = await picture.evaluate((image) => {
      const { naturalWidth, src } = image as unknown as { naturalWidth: number; src: string }
      return { width: naturalWidth, address: src }
    })
    return width > 0 && address
  })

const photos = (page: Page): Locator => page.getByRole('listitem', { name: /^photo / }).getByRole('img')

/** What the form says about a field. */
const wrongWith = (page: Page, field: string): Promise<string | null> =>
  page
    .locator('.field', { has: page.getByLabel(field, { exact: true }) })
    .getByRole('alert')
    .textContent()

test('a post with photos is written, corrected, posted and edited', async (t) => {
  const { page, errors } = await web.member(t)
  await page.getByRole('link', { name: 'Sell' }).click()
  await page.getByRole('heading', { level: 1, name: 'What are you giving away?' }).waitFor()

  await page.getByRole('button', { name: 'Post', exact: true }).click()
  assert.equal(await wrongWith(page, 'Title'), '1 to 100 characters')
  assert.equal(await wrongWith(page, 'Price'), 'A whole number from 0 to 100,000,000')
  assert.equal(await wrongWith(page, 'Description'), '1 to 5,000 characters')

  await page.getByLabel('Photos').setInputFiles([await photo('png', '#2e7d32'), await photo('jpeg', '#c0392b')])
  // The second may be there first, and would be the first picture then.
  await until('two pictures', async () => (await photos(page).count()) === 2)
  const [green, red] = [await shown(photos(page).nth(0)), await shown(photos(page).nth(1))]
  assert.notEqual(green, red)
  await page.getByRole('button', { name: 'Remove photo 1' }).click()
  await until('one photo', async () => (await photos(page).count()) === 1)
  assert.equal(await shown(photos(page)), red)
  assert.deepEqual(errors, [])

  // What is no photo is refused, in words too, and keeps the rest from being sent.
  const text = { name: 'plant.png', mimeType: 'image/png', buffer: Buffer.from('a plant') }
  await page.getByLabel('Photos').setInputFiles(text)
  await page.getByRole('listitem', { name: 'photo 2' }).getByText('JPEG, PNG and WebP do.').waitFor()
  await page.getByLabel('Title').fill('Monstera, a cutting')
  await page.getByLabel('Price').fill('12,000')
  await page.getByLabel('Category').selectOption('Foliage')
  await page.getByLabel('Description').fill('Two leaves.\n\nGrown by a window.')
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await page.getByText('A photo could not be uploaded. Try it again or remove it.').waitFor()
  await page.getByRole('button', { name: 'Remove photo 2' }).click()
  assert.match(errors.splice(0).join(), /^Failed to load resource: [^,]* 415 [^,]*$/)

  await page.reload()
  assert.equal(await page.getByLabel('Title').inputValue(), 'Monstera, a cutting')
  assert.equal(await page.getByLabel('Price').inputValue(), '12000')
  assert.equal(await page.getByLabel('Category').inputValue(), 'foliage')
  assert.equal(await page.getByLabel('Description').inputValue(), 'Two leaves.\n\nGrown by a window.')
  assert.equal(await shown(photos(page)), red)
  await page.getByRole('button', { name: 'Post', exact: true }).click()

  await page.getByRole('heading', { level: 1, name: 'Monstera, a cutting' }).waitFor()
  assert.equal(await shown(page.getByRole('img', { name: 'Monstera, a cutting, photo 1' })), red)
  assert.equal(await page.locator('.info .big').textContent(), '₩12,000')
  await page.getByRole('link', { name: 'Edit' }).click()
  assert.equal(await page.getByLabel('Title').inputValue(), 'Monstera, a cutting')
  await page.getByLabel('Title').fill('Monstera, rooted')
  await page.getByLabel('Price').fill('0')
  await page.getByRole('button', { name: 'Save' }).click()
  for (const look of ['at once', 'after a reload']) {
    await page.getByRole('heading', { level: 1, name: 'Monstera, rooted' }).waitFor()
    assert.equal(await page.locator('.info .big').textContent(), 'Free', look)
    assert.equal(await shown(page.getByRole('img', { name: 'Monstera, rooted, photo 1' })), red)
    await page.reload()
  }

  // The draft was for this post: the next one begins anew.
  await page.goto('/posts/new')
  assert.equal(await page.getByLabel('Title').inputValue(), '')
  assert.equal(await photos(page).count(), 0)
})
