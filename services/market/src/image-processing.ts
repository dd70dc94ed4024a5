import { availableParallelism } from 'node:os'
import { Problem } from '@pando/service'
import sharp, { type Metadata } from 'sharp'

/** The widths that are kept of an image; one that is narrower keeps its own. The last is the one that is sent when none is asked for. */
export const WIDTHS = [320, 960] as const
export type Width = (typeof WIDTHS)[number]

/** What becomes of an upload. */
export interface Picture {
  /** Of the upload, turned upright. */
  readonly width: number
  readonly height: number
  /** WebP, of each width. */
  readonly files: readonly { readonly width: Width; readonly data: Buffer }[]
}

export interface ImageProcessor {
  /**
   * Makes an upload's picture, in turn. Throws unsupported_media_type for what is no JPEG, PNG or WebP; validation_failed for one that is
   * broken; payload_too_large for one that has too many pixels, or would take too much memory.
   */
  process(path: string): Promise<Picture>
  /** How many wait for their turn. */
  waiting(): number
}

const MAX_PIXELS = 40_000_000
/** What one image may take while it is read. Measured: 250 MB for a progressive JPEG of 40 megapixels, 65 MB for a plain one. */
const MAX_WORKING_BYTES = 256 << 20
const TIMEOUT_S = 20
// A picture that is still higher gets smaller as a whole: WebP ends at 16,383, and nobody looks at it.
const MAX_HEIGHT_PER_WIDTH = 4

/**
 * Images at once. They take libvips' time in libuv's threads, of which there are four unless UV_THREADPOOL_SIZE says otherwise. Passwords
 * are hashed there too, and files read: with four it is one at a time.
 */
const AT_ONCE = Math.max(1, Math.min(availableParallelism(), Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 3))

/**
 * Reads images with `sharp`, `atOnce` at a time, and writes new ones of their pixels alone: no metadata, no profile (colours become
 * sRGB), nothing that stood behind the image in its file.
 */
export function createImageProcessor({ atOnce = AT_ONCE }: { atOnce?: number } = {}): ImageProcessor {
  sharp.cache(false)
  sharp.concurrency(1)
  // By content, whatever the name says; and nobody reaches the readers of SVG, TIFF, PDF and the like.
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] })
  const waiting: (() => void)[] = []
  let free = atOnce

  return {
    waiting: () => waiting.length,
    async process(path) {
      if (free > 0) free--
      else await new Promise<void>((resolve) => void waiting.push(resolve))
      try {
        return await pictureOf(path)
      } catch (thrown) {
        throw refusal(thrown)
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}

async function pictureOf(path: string): Promise<Picture> {
  const upload = sharp(path, { failOn: 'error', limitInputPixels: MAX_PIXELS, sequentialRead: true })
  const metadata = await upload.metadata()
  if (workingBytes(metadata) > MAX_WORKING_BYTES)
    throw new Problem('payload_too_large', {
      detail: 'The image would take too much memory to read; save it without interlacing (progressive), or smaller.',
    })
  const pixels = await upload
    .autoOrient()
    .resize(box(WIDTHS[1]))
    .raw()
    .timeout({ seconds: TIMEOUT_S })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = pixels.info
  const files = []
  for (const size of WIDTHS) {
    const small = sharp(pixels.data, { raw: { width, height, channels } }).resize(box(size))
    files.push({ width: size, data: await small.webp().toBuffer() })
  }
  return { ...metadata.autoOrient, files }
}

const box = (width: number) =>
  ({ width, height: width * MAX_HEIGHT_PER_WIDTH, fit: 'inside', withoutEnlargement: true }) as const

/** What is held at once to read an image; little when it is read from top to bottom. */
function workingBytes({ format, isProgressive, width, height, channels, depth }: Metadata): number {
  if (!isProgressive) return 0
  // All coefficients of a progressive JPEG, all pixels of an interlaced PNG.
  return width * height * channels * (format === 'jpeg' || depth === 'ushort' ? 2 : 1)
}

// sharp's errors have no codes.
function refusal(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  const { message } = thrown as Error
  if (message.includes('unsupported image format'))
    return new Problem('unsupported_media_type', { detail: 'The file is no JPEG, PNG or WebP.' })
  if (message.includes('exceeds pixel limit'))
    return new Problem('payload_too_large', { detail: `The image has more than ${MAX_PIXELS / 1e6} megapixels.` })
  return new Problem('validation_failed', {
    detail: 'The image is broken, or takes too long to read.',
    errors: [{ path: '/file', message: 'is no whole image' }],
    cause: thrown,
  })
}
