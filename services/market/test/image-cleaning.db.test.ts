// Images that nobody needs go, whatever dies meanwhile.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { transaction } from '@pando/saga'
import { until } from '../../../test/support/until.ts'
import { releaseImagesOfPosts, releaseImagesOfUsers } from '../src/image.ts'
import { removeUnused } from '../src/image-cleaning.ts'
import { createDiskStore } from '../src/image-store.ts'
import { plant } from './fixtures.ts'
import { age, assertProblem, attach, faults, NOTHING, startImages } from './image-server.ts'

const jpeg = await plant(120, 80).jpeg().toBuffer()

test('an image that no post takes in a day goes, and so does what was given up; an image of a post stays', async (t) => {
  const { db, user, left, images, folder } = await startImages(t)
  const owner = user()
  const [kept, unused, given] = [await owner.image(jpeg), await owner.image(jpeg), await owner.image(jpeg)]
  const postId = randomUUID()
  await attach(db, owner.id, [kept], randomUUID())
  await attach(db, owner.id, [given], postId)
  await transaction(db, (tx) => releaseImagesOfPosts(tx, [postId]))
  const store = createDiskStore({ folder, drafts: join(folder, 'drafts') })
  const rows = async () => (await left()).rows

  await removeUnused(db, store)
  assert.equal(await rows(), 3, 'none in its first hour')
  await age(db, '61 minutes')
  await removeUnused(db, store)
  assert.equal(await rows(), 2)
  await age(db, '22 hours 58 minutes')
  await removeUnused(db, store)
  assert.equal(await rows(), 2, '23:59')
  await age(db, '1 minute')
  images.start()
  await until('one row', async () => (await rows()) === 1)
  assert.deepEqual(
    (await left()).files.filter((file) => !file.includes(kept)),
    [],
  )
  assert.equal((await left()).files.length, 2)
  assert.deepEqual(await faults(attach(db, owner.id, [unused], postId)), { '/imageIds/0': 'is no image of yours' })
})

test('the images of a deleted account go', async (t) => {
  const { db, user, left, images } = await startImages(t)
  const [owner, other] = [user(), user()]
  await attach(db, owner.id, [await owner.image(jpeg)], randomUUID())
  await owner.image(jpeg)
  const kept = await other.image(jpeg)
  await transaction(db, (tx) => releaseImagesOfUsers(tx, [owner.id]))
  await age(db, '2 hours')
  images.start()
  await until('one row', async () => (await left()).rows === 1)
  assert.ok((await left()).files.every((file) => file.includes(kept)))
  assert.deepEqual(await db.query('select owner_id as id from market.image_upload'), [{ id: other.id }])
})

test('a process that dies between the files and the row: the rest is removed later', async (t) => {
  const { db, user, left, folder, images, logged } = await startImages(t)
  const owner = user()
  const ids = [await owner.image(jpeg), await owner.image(jpeg)]
  // As it is when it dies after one file was stored, and after one was removed.
  await db.query(`update market.image set state = 'storing' where id = $1`, [ids[0]])
  await transaction(db, (tx) => releaseImagesOfUsers(tx, [randomUUID()]))
  await db.query(`update market.image set state = 'released' where id = $1`, [ids[1]])
  for (const id of ids) await rm(join(folder, id.slice(-2), `${id}-960.webp`))
  assertProblem(await owner.get(`/api/images/${ids[0]}`), 404, 'not_found')
  await age(db, '61 minutes')
  images.start()
  await until('nothing', async () => (await left()).rows === 0)
  assert.deepEqual([await left(), logged.filter((line) => line.includes('"level":40'))], [NOTHING, []])
})
