import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUOTA } from '../src/image-quota.ts'
import { plant } from './fixtures.ts'
import { assertProblem, startImages } from './image-server.ts'

test('a hundred uploads a day, also when they come at once', async (t) => {
  const { db, user, left } = await startImages(t)
  const owner = user()
  const small = await plant(20, 20).png().toBuffer()
  await owner.image(small)
  await db.query('update market.image_upload set uploads = $1', [QUOTA.uploads - 2])
  const answers = await Promise.all(Array.from({ length: 6 }, () => owner.upload(small)))
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 201, 429, 429, 429, 429],
  )
  assert.equal((await left()).rows, 3)
  const refused = await owner.upload(Buffer.from('whatever it is'))
  assertProblem(refused, 429, 'rate_limited')
  const seconds = Number(refused.headers.get('retry-after'))
  assert.ok(Math.abs(Date.now() + seconds * 1000 - Math.ceil(Date.now() / 86_400_000) * 86_400_000) < 5_000, 'midnight')
  assert.equal((await user().upload(small)).status, 201, 'others go on')
  await db.query('update market.image_upload set day = day - 1')
  assert.equal((await owner.upload(small)).status, 201, 'and so does the next day')
  assertProblem(await owner.upload(Buffer.from('no image')), 415, 'unsupported_media_type')
  const [{ uploads } = { uploads: 0 }] = await db.query<{ uploads: number }>(
    'select uploads from market.image_upload where owner_id = $1',
    [owner.id],
  )
  assert.equal(uploads, 2, 'what is no image counts: it was read')
})

test('200 MiB of images, also when they come at once', async (t) => {
  const { db, user, left } = await startImages(t)
  const owner = user()
  const small = await plant(20, 20).png().toBuffer()
  const first = await owner.image(small)
  const [{ bytes } = { bytes: 0 }] = await db.query<{ bytes: number }>('select bytes from market.image')
  assert.ok(bytes > 50)
  await db.query('update market.image set bytes = $1', [QUOTA.bytes - 2 * bytes])
  const answers = await Promise.all(Array.from({ length: 6 }, () => owner.upload(small)))
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 201, 409, 409, 409, 409],
  )
  assertProblem(await owner.upload(small), 409, 'conflict')
  const { files, rows } = await left()
  assert.deepEqual([files.length, rows], [6, 3])
  await db.query('update market.image set bytes = $1 where id = $2', [bytes, first])
  assert.equal((await owner.upload(small)).status, 201)
})
