// Where images are kept: a store that fails, a disk that is full, a bucket.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import sharp from 'sharp'
import { until } from '../../../test/support/until.ts'
import { createDiskStore, type ImageStore } from '../src/image-store.ts'
import { noise, plant } from './fixtures.ts'
import { age, assertProblem, attach, faults, NOTHING, startImages } from './image-server.ts'
import { startS3 } from './s3-server.ts'

const jpeg = await plant(1200, 800).jpeg().toBuffer()

/** A store on the disk that fails while it is told to. */
function moody(folder: string): ImageStore & { fails: (call: string, key: string) => boolean } {
  const store = createDiskStore({ folder, drafts: join(folder, 'drafts') })
  const ask = (call: string, key: string): void => {
    if (one.fails(call, key)) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  }
  const one = {
    fails: (_call: string, _key: string): boolean => false,
    async put(key: string, data: Uint8Array) {
      ask('put', key)
      await store.put(key, data)
    },
    async get(key: string) {
      ask('get', key)
      return store.get(key)
    },
    async remove(key: string) {
      ask('remove', key)
      await store.remove(key)
    },
  }
  return one
}

test('a store that fails: 503, nothing half there, nothing forgotten, and no upload lost of the day’s', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'pando-test-'))
  t.after(() => rmSync(dataDir, { recursive: true }))
  const store = moody(join(dataDir, 'images'))
  const { db, user, left, images } = await startImages(t, { store, dataDir })
  const owner = user()
  store.fails = (call, key) => call === 'put' && key.includes('-960')
  const answer = await owner.upload(jpeg)
  assert.match(String(assertProblem(answer, 503, 'unavailable').detail), /^The store of images cannot be used/)
  assert.ok(Number(answer.headers.get('retry-after')) > 0)
  assert.deepEqual((await left()).files, [])
  const [{ id } = { id: '' }] = await db.query<{ id: string }>('select id from market.image')
  assertProblem(await owner.get(`/api/images/${id}`), 404, 'not_found')
  assert.deepEqual(await faults(attach(db, owner.id, [id], randomUUID())), { '/imageIds/0': 'is no image of yours' })
  assert.deepEqual(await db.query('select uploads from market.image_upload'), [{ uploads: 0 }])

  store.fails = () => false
  const good = await owner.image(jpeg)
  store.fails = (call) => call === 'get'
  assertProblem(await owner.get(`/api/images/${good}`), 503, 'unavailable')

  let refused = 0
  store.fails = (call) => call === 'remove' && ++refused < 5
  await age(db, '25 hours')
  images.start()
  await until('nothing', async () => (await left()).rows === 0)
  assert.ok(refused >= 5, 'rows stay for as long as their files cannot be removed')
  assert.deepEqual(await left(), NOTHING)
})

test('a full disk: 503, and nothing of it is left', async (t) => {
  const disk = mountDisk(t)
  if (disk === undefined) return t.skip('a disk of its own to fill: this user may not mount one')
  const { user, left, folder, logged } = await startImages(t, { dataDir: disk })
  const owner = user()
  await owner.image(jpeg)
  const before = await left()
  fill(join(disk, 'balloon'))
  const big = await noise(1200, 900).jpeg().toBuffer()
  for (let i = 0; i < 3; i++)
    assert.match(String(assertProblem(await owner.upload(big), 503, 'unavailable').detail), /^The store of images/)
  assert.deepEqual(await left(), before)
  // Room for the upload, not for what becomes of it.
  rmSync(join(disk, 'balloon'))
  fill(join(disk, 'balloon'), big.length + 65_536)
  assertProblem(await owner.upload(big), 503, 'unavailable')
  assert.deepEqual((await left()).files, before.files)
  rmSync(join(disk, 'balloon'))
  const id = await owner.image(big)
  assert.ok((await stat(join(folder, id.slice(-2), `${id}-960.webp`))).size > 100_000)
  assert.equal(
    logged.some((line) => line.includes('internal error')),
    false,
  )
})

const DISK_MIB = 8

/** A small file system in memory; undefined when this user may not have one. Gone after the test. */
function mountDisk(t: TestContext): string | undefined {
  const disk = join(mkdtempSync(join(tmpdir(), 'pando-test-')), 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=755`, 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  t.after(() =>
    t.after(() => {
      execFileSync('umount', ['--lazy', disk])
      rmSync(join(disk, '..'), { recursive: true })
    }),
  )
  return disk
}

/** Fills the disk, but for so many bytes. */
function fill(file: string, spare = 0): void {
  const reserve = `${file}-reserve`
  for (const [path, limit] of [
    [reserve, spare],
    [file, DISK_MIB << 20],
  ] as const) {
    const handle = openSync(path, 'w')
    try {
      for (let written = 0; written < limit;) written += writeSync(handle, Buffer.alloc(4096, 1))
    } catch (thrown) {
      assert.equal((thrown as NodeJS.ErrnoException).code, 'ENOSPC')
    } finally {
      closeSync(handle)
    }
  }
  rmSync(reserve)
}

test('in a bucket: the same, and nothing under DATA_DIR; 503 while it is away', async (t) => {
  const s3 = await startS3(t)
  const { db, user, nobody, left, images } = await startImages(t, { s3: s3.access })
  const owner = user()
  const id = await owner.image(jpeg)
  await attach(db, owner.id, [id], randomUUID())
  assert.deepEqual(
    [...s3.objects.keys()].toSorted(),
    [320, 960].map((w) => `images/${id.slice(-2)}/${id}-${w}.webp`),
  )
  assert.deepEqual((await left()).files, [])
  const { data, headers } = await nobody.get(`/api/images/${id}`)
  assert.deepEqual([(await sharp(data).metadata()).width, headers.get('content-length')], [960, String(data.length)])
  s3.isDown = true
  assertProblem(await owner.upload(jpeg), 503, 'unavailable')
  assertProblem(await nobody.get(`/api/images/${id}`), 503, 'unavailable')
  s3.isDown = false
  await owner.image(jpeg)
  await age(db, '25 hours')
  images.start()
  await until('one row', async () => (await left()).rows === 1)
  assert.deepEqual(s3.objects.size, 2)
})
