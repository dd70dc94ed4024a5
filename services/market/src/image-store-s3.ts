import { Readable } from 'node:stream'
import type { S3Access } from '@pando/service'
import { S3mini } from 's3mini'
import type { ImageStore } from './image-store.ts'

const TIMEOUT_MS = 30_000
// The bucket may hold other things as well.
const PREFIX = 'images/'

/** Files in a bucket of any S3-compatible store, addressed by path: `<endpoint>/<bucket>/images/<key>`. */
export function createS3Store({ endpoint, bucket, ...access }: S3Access): ImageStore {
  const s3 = new S3mini({ ...access, endpoint: `${endpoint}/${bucket}`, requestAbortTimeout: TIMEOUT_MS })
  return {
    async put(key, data) {
      await s3.putObject(PREFIX + key, data, 'image/webp')
    },
    async get(key) {
      // Read at once, and only then passed on: the timeout is the store's, not that of a client who reads slowly.
      const data = await s3.getObjectArrayBuffer(PREFIX + key)
      return data === null ? undefined : { stream: Readable.from([Buffer.from(data)]), size: data.byteLength }
    },
    async remove(key) {
      await s3.deleteObject(PREFIX + key)
    },
  }
}
