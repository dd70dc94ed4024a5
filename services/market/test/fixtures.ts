// Images to upload, made by sharp, and files that only look like some.
import { deflateSync, crc32 } from 'node:zlib'
import { createRandom } from '@pando/saga/testing'
import sharp, { type Sharp } from 'sharp'

/** Words that stand in what must not survive. */
export const SECRET = 'here-i-live-37.5665-126.9780'

/** Green, with a black upper left quarter, by which one sees how it is turned. */
export function plant(width: number, height: number): Sharp {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  return sharp({ create: { width, height, channels: 3, background: '#20a040' } }).composite([
    { input: { create: { width: w, height: h, channels: 3, background: '#000' } }, left: 0, top: 0 },
  ])
}

/** Nothing but noise: a file that is as large as it gets. */
export function noise(width: number, height: number, seed = 1): Sharp {
  const random = createRandom(seed)
  const pixels = Buffer.alloc(width * height * 3)
  for (let i = 0; i + 4 <= pixels.length; i += 4) pixels.writeUInt32LE(random.below(2 ** 32), i)
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

/** A photo as telephones make them: lying, with a position, a comment, and a trailer behind its end. */
export async function photo(width = 120, height = 80): Promise<Buffer> {
  const jpeg = await plant(width, height)
    .withExif({
      IFD0: { Copyright: SECRET },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '37/1 33/1 59/1', GPSMapDatum: SECRET },
    })
    .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>${SECRET}</a></x:xmpmeta>`)
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()
  return Buffer.concat([jpeg.subarray(0, 2), segment(0xfe, SECRET), jpeg.subarray(2), Buffer.from(SECRET)])
}

function segment(marker: number, text: string): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(text.length + 2, 2)
  return Buffer.concat([head, Buffer.from(text)])
}

/** A PNG with a text beside its pixels. */
export async function scribbled(): Promise<Buffer> {
  const png = await plant(60, 40).png().toBuffer()
  return Buffer.concat([png.subarray(0, 33), chunk('tEXt', Buffer.from(`Comment\0${SECRET}`)), png.subarray(33)])
}

function chunk(type: string, data: Buffer): Buffer {
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  const body = Buffer.concat([Buffer.from(type), data])
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])

/** A PNG of so many zeros: a few kilobytes that become any size. */
export function bomb(
  width: number,
  height: number,
  { bits = 8, interlaced = false, pixels = width * height } = {},
): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // Colour type 6: with alpha.
  header.set([bits, 6, 0, 0, interlaced ? 1 : 0], 8)
  // Each line begins with a byte of its own; interlaced, there are seven small images.
  const lines = interlaced ? 2 * height : height
  const zeros = deflateSync(Buffer.alloc(Math.min(pixels * 4 * (bits / 8) + lines, 1 << 28)))
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', zeros), chunk('IEND', Buffer.alloc(0))])
}

/** A film of two pictures: the first red, the second blue. */
export async function film(): Promise<Buffer> {
  const picture = (background: string) =>
    sharp({ create: { width: 40, height: 30, channels: 3, background } })
      .png()
      .toBuffer()
  return sharp([await picture('#f00'), await picture('#00f')], { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer()
}

/** A text that is SVG, with a script. */
export const SVG = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script><rect width="9" height="9"/></svg>',
)

/** The kinds of chunks of a WebP file, whose whole length they must make up. */
export function chunksOf(webp: Buffer): string[] {
  const kinds = []
  let at = 12
  for (; at < webp.length; at += 8 + webp.readUInt32LE(at + 4) + (webp.readUInt32LE(at + 4) % 2))
    kinds.push(webp.toString('latin1', at, at + 4))
  if (at !== webp.length || webp.readUInt32LE(4) !== webp.length - 8)
    throw new Error('something stands behind the image')
  return kinds
}

/** Red, green and blue of a point, the place given from 0 to 1. */
export async function colourAt(file: Buffer, x: number, y: number): Promise<[number, number, number]> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels
  return [data[at]!, data[at + 1]!, data[at + 2]!]
}
