import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createDiskStore } from '../src/image-store.ts'
import { createS3Store } from '../src/image-store-s3.ts'
import { imageStoreConformance } from './image-store-conformance.ts'
import { startS3 } from './s3-server.ts'

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pando-test-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}
const filesIn = (folder: string): string[] =>
  globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))

imageStoreConformance('disk', async (t) => {
  const folder = await scratch(t)
  return {
    store: createDiskStore({ folder, drafts: join(folder, 'drafts') }),
    keys: async () => filesIn(folder),
  }
})

imageStoreConformance('S3', async (t) => {
  const { access, objects } = await startS3(t)
  return {
    store: createS3Store(access),
    keys: async () => [...objects.keys()].map((key) => key.replace(/^images\//, '')),
  }
})

test('disk: a put that fails leaves nothing', async (t) => {
  const folder = await scratch(t)
  const store = createDiskStore({ folder, drafts: join(folder, 'drafts') })
  // The folder of the key cannot be made.
  await writeFile(join(folder, '3f'), '')
  await assert.rejects(store.put('3f/x.webp', Buffer.from('x')), { code: 'EEXIST' })
  assert.deepEqual(filesIn(folder), ['3f'])
})

test('S3: objects say what they are; another secret, region or bucket is refused, and so is what cannot be reached', async (t) => {
  const s3 = await startS3(t)
  const data = Buffer.from('x')
  await createS3Store(s3.access).put('3f/x.webp', data)
  assert.deepEqual([...s3.objects], [['images/3f/x.webp', { data, type: 'image/webp' }]])
  const wrong = [{ secretAccessKey: 'other' }, { accessKeyId: 'other' }, { region: 'other' }, { bucket: 'other' }]
  for (const access of wrong) {
    const store = createS3Store({ ...s3.access, ...access })
    await assert.rejects(store.put('3f/x.webp', Buffer.from('y')))
    if (!('bucket' in access)) await assert.rejects(store.get('3f/x.webp'))
  }
  s3.isDown = true
  const store = createS3Store(s3.access)
  await assert.rejects(store.put('3f/x.webp', data), /503/)
  await assert.rejects(store.get('3f/x.webp'), /503/)
  await assert.rejects(store.remove('3f/x.webp'), /503/)
  const nowhere = createS3Store({ ...s3.access, endpoint: 'http://127.0.0.1:1' })
  await assert.rejects(nowhere.get('3f/x.webp'))
  assert.deepEqual([...s3.objects.values()], [{ data, type: 'image/webp' }])
})
