// Who may see an image, and whom it belongs to.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { transaction } from '@pando/saga'
import { Problem } from '@pando/service'
import sharp from 'sharp'
import { imagesColumn, releaseImagesOfPosts } from '../src/image.ts'
import { plant } from './fixtures.ts'
import { assertProblem, attach, faults, startImages } from './image-server.ts'

const jpeg = await plant(1200, 800).jpeg().toBuffer()

test('an image of a post is everybody’s, in either width, for ever; before, and afterwards, it is not', async (t) => {
  const { db, user, nobody } = await startImages(t)
  const [owner, other] = [user(), user()]
  const id = await owner.image(jpeg)
  const path = `/api/images/${id}`

  const mine = await owner.get(path)
  assert.deepEqual([mine.status, mine.headers.get('cache-control')], [200, 'private, no-cache'])
  for (const who of [other, nobody]) assertProblem(await who.get(path), 404, 'not_found')

  const postId = randomUUID()
  await attach(db, owner.id, [id], postId)
  for (const who of [owner, other, nobody])
    for (const [query, width] of [
      ['', 960],
      ['?w=960', 960],
      ['?w=320', 320],
    ] as const) {
      const { status, headers, data } = await who.get(path + query)
      assert.equal(status, 200)
      assert.equal(headers.get('content-type'), 'image/webp')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
      assert.equal(headers.get('content-length'), String(data.length))
      const { format, width: w, height: h } = await sharp(data).metadata()
      assert.deepEqual([format, w, h], ['webp', width, Math.round((width * 2) / 3)])
    }

  await transaction(db, (tx) => releaseImagesOfPosts(tx, [postId]))
  for (const who of [owner, nobody]) assertProblem(await who.get(path), 404, 'not_found')
})

test('what was seen already is not sent again; HEAD has no body', async (t) => {
  const { db, url, user, nobody } = await startImages(t)
  const owner = user()
  const path = `/api/images/${await owner.image(jpeg)}`
  await attach(db, owner.id, [path.slice(-36)], randomUUID())
  const etag = (await nobody.get(path)).headers.get('etag')!
  assert.notEqual((await nobody.get(`${path}?w=320`)).headers.get('etag'), etag)
  for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const { status, data, headers } = await nobody.get(path, { 'if-none-match': header })
    assert.deepEqual([status, data.length, headers.get('etag')], [304, 0, etag])
    assert.match(headers.get('cache-control')!, /immutable/)
    assert.deepEqual([headers.get('content-type'), headers.get('content-length')], [null, null])
  }
  for (const header of ['"x"', '', etag.replaceAll('"', '')])
    assert.equal((await nobody.get(path, { 'if-none-match': header })).status, 200)
  const head = await fetch(new URL(path, url), { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'image/webp'])
  assert.ok(Number(head.headers.get('content-length')) > 100)
})

test('what is not there, and widths that there are not', async (t) => {
  const { db, user, nobody } = await startImages(t)
  const owner = user()
  const id = await owner.image(jpeg)
  await attach(db, owner.id, [id], randomUUID())
  for (const other of [randomUUID(), 'x', id.toUpperCase(), `${id}.webp`, '..%2f..%2fetc%2fpasswd', '%00'])
    assertProblem(await nobody.get(`/api/images/${other}`), 404, 'not_found')
  for (const w of ['', '0', '321', '960.0', '-960', '1e3', '320&w=960', 'x'])
    assertProblem(await nobody.get(`/api/images/${id}?w=${w}`), 400, 'validation_failed')
})

test('a post takes images of its seller’s, each for itself, in its order', async (t) => {
  const { db, user, left } = await startImages(t)
  const [owner, other] = [user(), user()]
  const [a, b, c] = [
    await owner.image(jpeg),
    await owner.image(await plant(40, 60).png().toBuffer()),
    await owner.image(jpeg),
  ]
  const foreign = await other.image(jpeg)
  const [postId, second] = [randomUUID(), randomUUID()]
  const shown = async (id: string) =>
    (
      await db.query<{ images: { id: string }[] }>(`select ${imagesColumn('p.id')} from (select $1::uuid as id) p`, [
        id,
      ])
    )[0]!.images

  const view = { id: a, width: 1200, height: 800 }
  assert.deepEqual(await attach(db, owner.id, [b, a], postId), [{ id: b, width: 40, height: 60 }, view])
  assert.deepEqual(await shown(postId), [{ id: b, width: 40, height: 60 }, view])
  assert.deepEqual(await shown(second), [])

  const wrong = [a, foreign, randomUUID(), 'x', c, c]
  assert.deepEqual(await faults(attach(db, owner.id, wrong, second)), {
    '/imageIds/0': 'belongs to another post',
    '/imageIds/1': 'is no image of yours',
    '/imageIds/2': 'is no image of yours',
    '/imageIds/3': 'is no image of yours',
    '/imageIds/5': 'is there already',
  })
  assert.deepEqual(await shown(second), [])

  assert.deepEqual(
    (await attach(db, owner.id, [c, b], postId)).map(({ id }) => id),
    [c, b],
  )
  assert.deepEqual(
    (await shown(postId)).map(({ id }) => id),
    [c, b],
  )
  assert.deepEqual(await faults(attach(db, owner.id, [a], postId)), { '/imageIds/0': 'is no image of yours' })
  assert.deepEqual(await attach(db, owner.id, [], postId), [])
  assert.deepEqual(await shown(postId), [])
  assert.equal((await left()).rows, 4, 'until they are removed')
})

test('two posts that want one image at once: one gets it', async (t) => {
  const { db, user } = await startImages(t)
  const owner = user()
  const [a, b] = [await owner.image(jpeg), await owner.image(jpeg)]
  const wants = [[a, b], [b, a], [b], [a, b]].map((ids) => attach(db, owner.id, ids, randomUUID()))
  const settled = await Promise.allSettled(wants)
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const one of settled)
    assert.ok(one.status === 'fulfilled' || one.reason instanceof Problem, 'no deadlock either')
})

test('the contract says what is sent and what comes', async (t) => {
  const { nobody } = await startImages(t)
  const { paths } = (await nobody.get('/api/openapi.json')).body as {
    paths: Record<
      string,
      Record<string, { requestBody?: object; responses: Record<string, object>; security?: object }>
    >
  }
  const { post } = paths['/api/images']!
  const { get } = paths['/api/images/{id}']!
  assert.deepEqual(Object.keys((post!.requestBody as { content: object }).content), ['multipart/form-data'])
  assert.deepEqual(Object.keys(post!.responses), ['201', '400', '401', '409', '413', '415', '429', '503', 'default'])
  assert.deepEqual(Object.keys((get!.responses['200'] as { content: object }).content), ['image/webp'])
  assert.deepEqual([post!.security !== undefined, get!.security], [true, undefined])
})
