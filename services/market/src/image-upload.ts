import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Problem } from '@pando/service'
import type { FastifyRequest } from 'fastify'

/** What a file may have, in bytes. */
export const MAX_UPLOAD = 10 << 20
/** What may stand around the file in a body. */
const MAX_FRAME = 64 << 10
/** A refused body is dropped as it comes, so that its sender comes to read the answer; a larger one than this is cut off. */
const MAX_DROPPED = 32 << 20

/** Throws for a request that is refused before any of its body is read: no multipart, or too large by its own account. */
export function refuseBody(request: FastifyRequest): void {
  if (!request.isMultipart())
    throw new Problem('unsupported_media_type', {
      detail: 'An image comes as multipart/form-data, in the field "file".',
    })
  const length = Number(request.headers['content-length'])
  if (length > MAX_UPLOAD + MAX_FRAME) throw tooLarge(length > MAX_DROPPED ? { connection: 'close' } : {})
}

/**
 * Writes the one file of a request to `path`, piece by piece. Its name and type are not looked at.
 * Throws validation_failed for anything but one file in the field "file", payload_too_large as soon as it is, Node's errors of the disk.
 */
export async function receiveFile(request: FastifyRequest, path: string): Promise<void> {
  let isThere = false
  try {
    for await (const part of request.parts()) {
      if (part.fieldname !== 'file') throw notOne('takes no other field')
      if (part.type !== 'file') throw notOne('must be a file, with a filename')
      if (isThere) throw notOne('must be one file')
      isThere = true
      part.file.once('limit', () => part.file.destroy(tooLarge()))
      await pipeline(part.file, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
      if (part.file.bytesRead === 0) throw notOne('is empty')
    }
  } catch (thrown) {
    if (thrown instanceof Problem || isOfDisk(thrown)) throw thrown
    throw new Problem('validation_failed', { detail: 'The multipart body is broken, or was cut off.', cause: thrown })
  } finally {
    // What is left of the body must neither pile up in front of a parser that reads no more nor hold its sender back.
    request.raw.unpipe()
    request.raw.resume()
  }
  if (!isThere) throw notOne('is required')
}

const notOne = (message: string): Problem => new Problem('validation_failed', { errors: [{ path: '/file', message }] })

const tooLarge = (headers: Record<string, string> = {}): Problem =>
  new Problem('payload_too_large', { detail: `An image has at most ${MAX_UPLOAD >> 20} MiB.`, headers })

/** Whether it is an error of Node's about files, such as a full disk. */
export function isOfDisk(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && DISK_CODES.has(String(thrown.code))
}
const DISK_CODES = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EACCES',
  'EPERM',
  'ENOENT',
  'ENOTDIR',
  'EMFILE',
  'ENFILE',
])

export interface Places {
  /** Takes a place until the returned function is called. Throws rate_limited for a user who has `each`, unavailable when `all` are taken. */
  take(userId: string): () => void
}

/** Bounds the uploads under way, and with them the drafts on the disk and the queue in front of the processor. */
export function createPlaces({ all, each }: { all: number; each: number }): Places {
  const taken = new Map<string, number>()
  let total = 0
  return {
    take(userId) {
      const mine = taken.get(userId) ?? 0
      const headers = { 'retry-after': '5' }
      if (mine >= each) throw new Problem('rate_limited', { detail: `${each} of your uploads are under way.`, headers })
      if (total >= all)
        throw new Problem('unavailable', { detail: 'Too many images are being uploaded; try again.', headers })
      total++
      taken.set(userId, mine + 1)
      return () => {
        total--
        const left = taken.get(userId)! - 1
        if (left === 0) taken.delete(userId)
        else taken.set(userId, left)
      }
    },
  }
}
