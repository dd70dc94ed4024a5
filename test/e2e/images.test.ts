// Images through the whole system: uploaded, shown by a post, given up.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })

async function upload({ token }: Person, width = 1_200, height = 800): Promise<Response> {
  const jpeg = await sharp({ create: { width, height, channels: 3, background: '#2e7d32' } })
    .withExif({ IFD3: { GPSLatitude: '37/1 33/1 0/1' } })
    .jpeg()
    .toBuffer()
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(jpeg)]), '../../x.txt')
  return fetch(`${system.url}/api/images`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${token}` },
  })
}
const look = (id: string, token?: string): Promise<Response> =>
  fetch(`${system.url}/api/images/${id}?w=320`, token ? { headers: { authorization: `Bearer ${token}` } } : {})

test('an image is its owner’s until a post shows it, then everybody’s, without what the original told', async () => {
  const [seller, other] = await Promise.all([person(system.url), person(system.url)])
  const uploaded = await upload(seller)
  const image = (await uploaded.json()) as { id: string; width: number; height: number }
  assert.deepEqual([uploaded.status, image.width, image.height], [201, 1_200, 800])
  assert.deepEqual([(await look(image.id)).status, (await look(image.id, other.token)).status], [404, 404])
  assert.equal((await look(image.id, seller.token)).status, 200)

  const draft = { title: '몬스테라', content: '잎 세 장', price: 1_000, imageIds: [image.id] }
  const stolen = await other.client.post('/api/posts', draft)
  assert.deepEqual(
    [stolen.status, stolen.body.errors],
    [400, [{ path: '/imageIds/0', message: 'is no image of yours' }]],
  )
  const post = await seller.client.post<{ id: string; images: unknown[] }>('/api/posts', draft)
  assert.deepEqual([post.status, post.body.images], [201, [image]])
  const shown = await look(image.id)
  assert.deepEqual([shown.status, shown.headers.get('content-type')], [200, 'image/webp'])
  const { width, format, exif } = await sharp(Buffer.from(await shown.arrayBuffer())).metadata()
  assert.deepEqual([width, format, exif], [320, 'webp', undefined])

  const without = await seller.client.patch<{ images: unknown[] }>(`/api/posts/${post.body.id}`, { imageIds: [] })
  assert.deepEqual([without.status, without.body.images], [200, []])
  assert.equal((await look(image.id)).status, 404)
})
