import { randomUUIDv7 } from 'node:crypto'
import { join } from 'node:path'
import { createHourly, type Database, transaction } from '@pando/saga'
import { type Config, patiently, Problem, toProblem } from '@pando/service'
import { accessTo, announceImage, confirmImage, type ImageView, keyOf } from './image.ts'
import { removeUnused } from './image-cleaning.ts'
import { sweepDrafts, withDraft } from './image-drafts.ts'
import { createImageProcessor, type ImageProcessor, type Picture, type Width } from './image-processing.ts'
import { assertQuota, countUpload, uncountUpload } from './image-quota.ts'
import { createDiskStore, type ImageStore, type StoredFile } from './image-store.ts'
import { createS3Store } from './image-store-s3.ts'
import { isOfDisk } from './image-upload.ts'
import type { By } from './posts.ts'

/** Longer than a request may take to come and be answered. */
const DRAFT_MS = 600_000
/** For news of the chat that a member of a room has heard sooner. */
const PATIENCE_MS = 1_000

/** Everything about images but their routes. */
export interface Images {
  /**
   * Makes an image of the file that `receive` writes to the path it is given; the file is gone when this settles, whatever happens.
   * Throws rate_limited or conflict above the owner's quota (before `receive` is called, if it is known then), what `receive` throws,
   * what the image is refused for (see ImageProcessor), unavailable when it cannot be stored.
   */
  upload(owner: By, receive: (path: string) => Promise<void>): Promise<ImageView>
  /** One that this viewer (undefined: anybody) may see; undefined for any other, which may take a second. */
  find(id: string, viewerId: string | undefined): Promise<{ isPublic: boolean } | undefined>
  /** Throws unavailable when the store cannot be read. */
  read(id: string, width: Width): Promise<StoredFile | undefined>
  /** Uploads that wait for their turn to be read. */
  waiting(): number
  /** Begins to clean up: at once, then every hour. The tables must be there. */
  start(): void
  stop(): Promise<void>
}

export interface ImagesOptions {
  db: Database
  config: Pick<Config, 'dataDir' | 's3'>
  onError: (error: Error) => void
  /** Default: the bucket of the configuration, else `DATA_DIR/images`. */
  store?: ImageStore
  processor?: ImageProcessor
}

/** Images of this process: received under `DATA_DIR/images/drafts`, read in turn, kept in a bucket or under `DATA_DIR/images`. */
export function createImages({ db, config, onError, ...parts }: ImagesOptions): Images {
  const folder = join(config.dataDir, 'images')
  const drafts = join(folder, 'drafts')
  const store = parts.store ?? (config.s3 ? createS3Store(config.s3) : createDiskStore({ folder, drafts }))
  const processor = parts.processor ?? createImageProcessor()
  const cleaning = createHourly({
    atOnce: true,
    onError,
    async task() {
      await sweepDrafts(drafts, DRAFT_MS)
      await removeUnused(db, store)
    },
  })

  async function keep({ userId: ownerId, traceparent }: By, { width, height, files }: Picture): Promise<ImageView> {
    const image = { id: randomUUIDv7(), width, height }
    const bytes = files.reduce((sum, { data }) => sum + data.length, 0)
    await transaction(db, (tx) => announceImage(tx, { ...image, ownerId, bytes }))
    try {
      for (const file of files) await store.put(keyOf(image.id, file.width), file.data)
      const stored = { imageId: image.id, ownerId }
      if (await transaction(db, (tx) => confirmImage(tx, stored, { traceparent }))) return image
      throw new Error(`image ${image.id} was given up before it was stored`)
    } catch (cause) {
      // The row stays for an hour and brings this about if it fails now.
      await Promise.allSettled(files.map((file) => store.remove(keyOf(image.id, file.width))))
      throw unusable(cause)
    }
  }

  return {
    async upload(owner, receive) {
      const ownerId = owner.userId
      await assertQuota(db, ownerId)
      return withDraft(drafts, async (path) => {
        await receive(path)
        await countUpload(db, ownerId)
        try {
          return await keep(owner, await processor.process(path))
        } catch (thrown) {
          // If this fails too, the user has one less today.
          if (toProblem(thrown).status >= 500) await uncountUpload(db, ownerId).catch(onError)
          throw thrown
        }
      }).catch((thrown: unknown) => {
        throw isOfDisk(thrown) ? unusable(thrown) : thrown
      })
    },
    async find(id, viewerId) {
      const access = await patiently(
        PATIENCE_MS,
        () => accessTo(db, id, viewerId ?? null),
        (answer) => answer !== 'perhaps',
      )
      return access === 'public' || access === 'private' ? { isPublic: access === 'public' } : undefined
    },
    read: (id, width) =>
      store.get(keyOf(id, width)).catch((cause: unknown) => {
        throw unusable(cause)
      }),
    waiting: processor.waiting,
    start: () => cleaning.start(),
    stop: () => cleaning.stop(),
  }
}

const unusable = (cause: unknown): Problem =>
  new Problem('unavailable', {
    detail: 'The store of images cannot be used at the moment; try again later.',
    headers: { 'retry-after': '10' },
    cause,
  })
