import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { ignoreMissing, withDraft } from './image-drafts.ts'

/** A file of a store; whoever gets it reads its stream or destroys it. */
export interface StoredFile {
  readonly stream: Readable
  /** In bytes. */
  readonly size: number
}

/** Keeps files under keys such as `3f/018f….webp`: letters, digits, `-`, `.` and `/`. All reject when the store cannot be used. */
export interface ImageStore {
  /** Stores it, in place of what was there. When it resolves, the file is there after any crash; nobody ever sees half of it. */
  put(key: string, data: Uint8Array): Promise<void>
  /** undefined when there is none. */
  get(key: string): Promise<StoredFile | undefined>
  /** Also resolves when there is none. */
  remove(key: string): Promise<void>
}

/** Files below `folder`. `drafts` is a folder of the same file system, for what is being written. */
export function createDiskStore({ folder, drafts }: { folder: string; drafts: string }): ImageStore {
  return {
    put: (key, data) =>
      withDraft(drafts, async (draft) => {
        await write(draft, data)
        const path = join(folder, key)
        const made = await mkdir(dirname(path), { recursive: true })
        await rename(draft, path)
        await syncFolder(dirname(path))
        if (made !== undefined) await syncFolder(dirname(made))
      }),
    async get(key) {
      const file = await open(join(folder, key)).catch(ignoreMissing)
      if (!file) return undefined
      try {
        const { size } = await file.stat()
        return { stream: file.createReadStream(), size }
      } catch (thrown) {
        await file.close()
        throw thrown
      }
    },
    remove: (key) => rm(join(folder, key), { force: true }),
  }
}

async function write(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

// A name is only safe when its folder is.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
