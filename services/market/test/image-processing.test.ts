// What becomes of an upload: the pixels of its first picture, upright, in sRGB, and nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Problem, type ProblemCode } from '@pando/service'
import sharp from 'sharp'
import { until } from '../../../test/support/until.ts'
import { createImageProcessor, type Picture } from '../src/image-processing.ts'
import { bomb, chunksOf, colourAt, film, noise, photo, plant, scribbled, SECRET, SVG } from './fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'pando-test-'))
after(() => rmSync(folder, { recursive: true }))
const processor = createImageProcessor()
let files = 0

function pathOf(file: Buffer): string {
  const path = join(folder, String(files++))
  writeFileSync(path, file)
  return path
}
const process = (file: Buffer): Promise<Picture> => processor.process(pathOf(file))

async function sizesOf({ width, height, files }: Picture): Promise<string[]> {
  const sizes = await Promise.all(files.map(async ({ data }) => sharp(data).metadata()))
  return [`${width}x${height}`, ...sizes.map((size) => `${size.format} ${size.width}x${size.height}`)]
}

for (const type of ['jpeg', 'png', 'webp'] as const)
  test(`a ${type} becomes WebP of both widths`, async () => {
    const picture = await process(await plant(1200, 900).toFormat(type).toBuffer())
    assert.deepEqual(await sizesOf(picture), ['1200x900', 'webp 320x240', 'webp 960x720'])
    const [small, large] = picture.files.map(({ data }) => data)
    assert.deepEqual(chunksOf(small!), ['VP8 '])
    for (const file of [small!, large!]) {
      assert.ok((await colourAt(file, 0.25, 0.25)).every((value) => value < 20))
      const [red, green, blue] = await colourAt(file, 0.75, 0.75)
      assert.ok(Math.abs(red - 0x20) < 8 && Math.abs(green - 0xa0) < 8 && Math.abs(blue - 0x40) < 8)
    }
  })

test('nothing is enlarged; what is very high is made smaller as a whole', async () => {
  const png = (width: number, height: number) => plant(width, height).png().toBuffer()
  assert.deepEqual(await sizesOf(await process(await png(100, 50))), ['100x50', 'webp 100x50', 'webp 100x50'])
  assert.deepEqual(await sizesOf(await process(await png(500, 50))), ['500x50', 'webp 320x32', 'webp 500x50'])
  assert.deepEqual(await sizesOf(await process(await png(100, 8000))), ['100x8000', 'webp 16x1280', 'webp 48x3840'])
  assert.deepEqual(await sizesOf(await process(await png(8000, 1))), ['8000x1', 'webp 320x1', 'webp 960x1'])
})

test('a photo is turned upright; its position, texts and trailer are gone', async () => {
  const lying = await photo(120, 80)
  const { exif, xmp, orientation } = await sharp(lying).metadata()
  assert.ok(exif?.includes(SECRET) && xmp?.includes(SECRET) && orientation === 6, 'they are in the photo')
  assert.equal(lying.toString('latin1').split(SECRET).length - 1, 5, 'and a comment, and a trailer')
  const picture = await process(lying)
  assert.deepEqual(await sizesOf(picture), ['80x120', 'webp 80x120', 'webp 80x120'])
  for (const { data } of picture.files) {
    assert.deepEqual(chunksOf(data), ['VP8 '])
    assert.equal(data.includes(SECRET), false)
    const { exif, xmp, icc, orientation } = await sharp(data).metadata()
    assert.deepEqual([exif, xmp, icc, orientation], [undefined, undefined, undefined, undefined])
    assert.ok(
      (await colourAt(data, 0.75, 0.25)).every((value) => value < 20),
      'black is on the right now',
    )
  }
})

test('a text of a PNG is gone', async () => {
  const file = await scribbled()
  assert.ok(file.includes(SECRET))
  for (const { data } of (await process(file)).files) assert.equal(data.includes(SECRET), false)
})

test('colours of another profile become sRGB, and the profile is gone', async () => {
  const red = sharp({ create: { width: 20, height: 20, channels: 3, background: '#f00' } })
  const file = await red.withIccProfile('p3').png().toBuffer()
  assert.ok((await sharp(file).metadata()).icc)
  assert.ok(
    (await sharp(file, { ignoreIcc: true }).stats()).channels[0]!.max < 240,
    'its numbers are not those of sRGB',
  )
  for (const { data } of (await process(file)).files) {
    assert.equal((await sharp(data).metadata()).icc, undefined)
    const [r, g, b] = await colourAt(data, 0.5, 0.5)
    assert.ok(r > 250 && g < 8 && b < 8, `${r} ${g} ${b}`)
  }
})

test('grey, 16 bits, CMYK and transparency', async () => {
  const image = plant(60, 40)
  const grey = await image.clone().greyscale().toColourspace('b-w').png().toBuffer()
  const deep = await image.clone().toColourspace('rgb16').png().toBuffer()
  const print = await image.clone().toColourspace('cmyk').jpeg().toBuffer()
  for (const file of [grey, deep, print]) assert.equal((await process(file)).files.length, 2)
  const clear = await sharp({ create: { width: 30, height: 30, channels: 4, background: '#f000' } })
    .png()
    .toBuffer()
  const { data } = (await process(clear)).files[1]!
  assert.deepEqual([(await sharp(data).stats()).isOpaque, chunksOf(data)], [false, ['VP8X', 'ALPH', 'VP8 ']])
})

test('of a film the first picture', async () => {
  const file = await film()
  assert.equal((await sharp(file).metadata()).pages, 2)
  const picture = await process(file)
  assert.deepEqual(await sizesOf(picture), ['40x30', 'webp 40x30', 'webp 40x30'])
  const [red, , blue] = await colourAt(picture.files[1]!.data, 0.5, 0.5)
  assert.ok(red > 240 && blue < 20)
})

const jpeg = await plant(300, 200).jpeg().toBuffer()
const png = await noise(300, 200).png().toBuffer()
const webp = await noise(300, 200).webp().toBuffer()
const REFUSED: [what: string, file: Buffer, code: ProblemCode][] = [
  ['nothing', Buffer.alloc(0), 'unsupported_media_type'],
  ['a text', Buffer.from('a JPEG, honestly'), 'unsupported_media_type'],
  ['an SVG', SVG, 'unsupported_media_type'],
  ['a GIF', await plant(30, 20).gif().toBuffer(), 'unsupported_media_type'],
  ['a TIFF', await plant(30, 20).tiff().toBuffer(), 'unsupported_media_type'],
  ['an AVIF', await plant(30, 20).avif().toBuffer(), 'unsupported_media_type'],
  ['a page before a JPEG', Buffer.concat([Buffer.from('<html>'), jpeg]), 'unsupported_media_type'],
  ['half a JPEG', jpeg.subarray(0, jpeg.length / 2), 'validation_failed'],
  ['the beginning of a JPEG', jpeg.subarray(0, 4), 'validation_failed'],
  ['half a PNG', png.subarray(0, png.length / 2), 'validation_failed'],
  [
    'a PNG with a wrong sum',
    Buffer.concat([png.subarray(0, 900), Buffer.from('x'), png.subarray(901)]),
    'validation_failed',
  ],
  ['half a WebP', webp.subarray(0, webp.length / 2), 'validation_failed'],
  ['a PNG that says 30,000 × 30,000', bomb(30_000, 30_000, { pixels: 1 }), 'payload_too_large'],
  ['a PNG that says 1,000 × 1,000 and has one pixel', bomb(1_000, 1_000, { pixels: 1 }), 'validation_failed'],
  ['a PNG of 64 megapixels in 250 kB', bomb(8_000, 8_000), 'payload_too_large'],
  [
    'an interlaced PNG of 36 megapixels with 16 bits',
    bomb(6_000, 6_000, { bits: 16, interlaced: true, pixels: 1 }),
    'payload_too_large',
  ],
]
for (const [what, file, code] of REFUSED)
  test(`refused: ${what}`, async () => {
    await assert.rejects(process(file), (thrown: unknown) => {
      assert.ok(thrown instanceof Problem, String(thrown))
      assert.equal(thrown.code, code, `${thrown.message}: ${String(thrown.cause)}`)
      return true
    })
  })

test('one after the other, and a refusal keeps nobody waiting', async () => {
  const processor = createImageProcessor({ atOnce: 1 })
  const paths = [jpeg, SVG, png, Buffer.alloc(3), webp].map(pathOf)
  const all = Promise.allSettled(paths.map((path) => processor.process(path)))
  assert.equal(processor.waiting(), 4)
  assert.deepEqual(
    (await all).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  )
  await until('an empty queue', () => processor.waiting() === 0)
  assert.equal((await processor.process(pathOf(jpeg))).width, 300)
})
