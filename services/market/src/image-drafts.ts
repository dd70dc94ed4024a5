import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Runs `use` with the path of a new file in `folder`, which is made when it is missing. Whatever is there afterwards is removed. */
export async function withDraft<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, randomUUID())
  try {
    return await use(path)
  } finally {
    await rm(path, { force: true })
  }
}

/** Removes drafts that are older than `ms`: a process that was killed has left them. Younger ones may be another process's. */
export async function sweepDrafts(folder: string, ms: number): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(ignoreMissing)
    if (found && Date.now() - found.mtimeMs > ms) await rm(path, { force: true })
  }
}

const namesIn = async (folder: string): Promise<string[]> => (await readdir(folder).catch(ignoreMissing)) ?? []

/** To catch with: undefined for a file that is not there. Throws any other error. */
export function ignoreMissing(thrown: unknown): undefined {
  if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown
}
