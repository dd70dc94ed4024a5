// What is sent to POST /api/images: each refusal has its answer and leaves nothing, neither a file nor a row.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../../../test/support/until.ts'
import { bomb, chunksOf, noise, photo, plant, SECRET, SVG } from './fixtures.ts'
import { assertProblem, formOf, type ImageServer, NOTHING, startImages, type User } from './image-server.ts'

const jpeg = await plant(120, 80).jpeg().toBuffer()
const MiB = 1 << 20

test('an image is taken, and is there in both widths', async (t) => {
  const { user, left, nobody } = await startImages(t)
  const owner = user()
  const { status, headers, body } = await owner.upload(await plant(1200, 800).jpeg().toBuffer())
  const { id } = body as { id: string }
  assert.deepEqual([status, body], [201, { id, width: 1200, height: 800 }])
  assert.equal(headers.get('location'), `/api/images/${id}`)
  const folder = id.slice(-2)
  assert.deepEqual(await left(), { files: [`${folder}/${id}-320.webp`, `${folder}/${id}-960.webp`], rows: 1 })
  assertProblem(await nobody.upload(jpeg), 401, 'unauthenticated')
})

test('neither the name nor the declared type matters; nothing of a polyglot is left', async (t) => {
  const { user, left, folder } = await startImages(t)
  const owner = user()
  const zip = Buffer.concat([jpeg, Buffer.from(`<html><script>${SECRET}</script>`), Buffer.from(`PK\x03\x04${SECRET}`)])
  const stray = `stray-${randomUUID()}`
  const names = [`../../${stray}`, '/etc/passwd', 'x.html', 'a\u0000b.jpg', '한국.png', 'x'.repeat(5000)]
  for (const name of names) assert.equal((await owner.upload(zip, name)).status, 201, name.slice(0, 20))
  const { files, rows } = await left()
  assert.deepEqual([files.length, rows], [2 * names.length, names.length])
  assert.ok(files.every((file) => /^[0-9a-f]{2}\/[0-9a-f-]{36}-(320|960)\.webp$/.test(file)))
  assert.equal(statSync(join(folder, '..', '..', stray), { throwIfNoEntry: false }), undefined)
  const { body } = await owner.upload(await photo())
  const { data } = await owner.get(`/api/images/${String(body.id)}`)
  assert.deepEqual([chunksOf(data), data.includes(SECRET)], [['VP8 '], false])
})

const png = await noise(300, 200).png().toBuffer()
const two = formOf({ file: [jpeg] })
two.append('file', new Blob([new Uint8Array(jpeg)]), 'second.jpg')
const strange = new FormData()
strange.append('constructor', new Blob([new Uint8Array(jpeg)]), 'x.jpg')
const HOSTILE: [what: string, form: Buffer | FormData, status: number, code: string][] = [
  ['a page, then a JPEG', Buffer.concat([Buffer.from('<html>'), jpeg]), 415, 'unsupported_media_type'],
  ['an archive, then a JPEG', Buffer.concat([Buffer.from('PK\x03\x04'), jpeg]), 415, 'unsupported_media_type'],
  ['a text named .jpg', Buffer.from('not a JPEG'), 415, 'unsupported_media_type'],
  ['an SVG with a script', SVG, 415, 'unsupported_media_type'],
  ['a GIF', await plant(30, 20).gif().toBuffer(), 415, 'unsupported_media_type'],
  ['half a JPEG', jpeg.subarray(0, jpeg.length / 2), 400, 'validation_failed'],
  ['half a PNG', png.subarray(0, png.length / 2), 400, 'validation_failed'],
  ['a header of 30,000 × 30,000', bomb(30_000, 30_000, { pixels: 1 }), 413, 'payload_too_large'],
  ['64 megapixels in 250 kB', bomb(8_000, 8_000), 413, 'payload_too_large'],
  ['no byte', Buffer.alloc(0), 400, 'validation_failed'],
  ['11 MiB', Buffer.alloc(11 * MiB), 413, 'payload_too_large'],
  ['a byte too much', Buffer.alloc(10 * MiB + 1), 413, 'payload_too_large'],
  ['two files', two, 400, 'validation_failed'],
  ['another field', formOf({ picture: [jpeg] }), 400, 'validation_failed'],
  ['another field beside it', formOf({ file: [jpeg], title: 'x' }), 400, 'validation_failed'],
  ['another field before it', formOf({ title: 'x', file: [jpeg] }), 400, 'validation_failed'],
  ['a text', formOf({ file: 'not a file' }), 400, 'validation_failed'],
  ['a field of the prototype', strange, 400, 'validation_failed'],
  ['no field', new FormData(), 400, 'validation_failed'],
]
test('hostile uploads', async (t) => {
  const server = await startImages(t)
  const someone = server.user()
  for (const [what, form, status, code] of HOSTILE)
    await t.test(what, async () => {
      assertProblem(await someone.upload(form), status, code)
      assert.deepEqual(await server.left(), NOTHING)
    })
  const { status } = await someone.upload(Buffer.concat([jpeg, Buffer.alloc(10 * MiB - jpeg.length)]))
  assert.equal(status, 201, '10 MiB to the byte, and all goes on')
})

test('bodies that are no form, or a broken one', async (t) => {
  const { url, user, left } = await startImages(t)
  const { token } = user()
  const send = async (type: string | undefined, body: string | Buffer | undefined): Promise<[number, unknown]> => {
    const response = await fetch(new URL('/api/images', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...(type !== undefined && { 'content-type': type }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    })
    return [response.status, ((await response.json()) as { code: string }).code]
  }
  const unsupported = [415, 'unsupported_media_type']
  assert.deepEqual(await send('application/json', '{}'), unsupported)
  assert.deepEqual(await send('application/json', '{'), unsupported)
  assert.deepEqual(await send('image/jpeg', jpeg), unsupported)
  assert.deepEqual(await send('application/x-www-form-urlencoded', 'file=x'), unsupported)
  assert.deepEqual(await send(undefined, undefined), unsupported)
  const invalid = [400, 'validation_failed']
  assert.deepEqual(await send('multipart/form-data', 'x'), invalid)
  assert.deepEqual(await send('multipart/form-data; boundary=b', ''), invalid)
  assert.deepEqual(await send('multipart/form-data; boundary=b', 'neither'), invalid)
  const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
  assert.deepEqual(await send('multipart/form-data; boundary=b', Buffer.concat([Buffer.from(part), jpeg])), invalid)
  assert.deepEqual(await send('multipart/form-data; boundary=b', '--b\r\n\r\nx\r\n--b--\r\n'), invalid)
  assert.deepEqual(await left(), NOTHING)
})

/** Begins an upload on a connection of its own: the head and so much of the file. */
function begin(
  { url }: ImageServer,
  { token }: User,
  bytes: number,
  { field = 'file', length = 'Transfer-Encoding: chunked' } = {},
): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST /api/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: multipart/form-data; boundary=b\r\n${length}\r\n\r\n`,
  )
  write(socket, Buffer.from(`--b\r\nContent-Disposition: form-data; name="${field}"; filename="x"\r\n\r\n`))
  write(socket, Buffer.alloc(bytes, 1))
  return socket
}
const write = (socket: Socket, data: Buffer): boolean =>
  socket.write(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]))

test('an upload that never ends, until its connection does', async (t) => {
  const server = await startImages(t)
  const socket = begin(server, server.user(), MiB)
  await until('a draft', async () => {
    const [draft] = (await server.left()).files
    return draft !== undefined && statSync(join(server.folder, draft)).size > MiB / 2
  })
  socket.destroy()
  await until('nothing', async () => (await server.left()).files.length === 0)
  assert.deepEqual(await server.left(), NOTHING)
  assert.equal(
    server.logged.some((line) => line.includes('internal error')),
    false,
  )
})

for (const [what, field, status] of [
  ['a file without an end', 'file', 413],
  ['another field without an end', 'picture', 400],
] as const)
  test(`${what} is refused before its sender is done, and the rest is not kept`, async (t) => {
    const server = await startImages(t)
    const socket = begin(server, server.user(), MiB, { field })
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
    const more = (): void => {
      if (socket.writableLength < MiB) write(socket, Buffer.alloc(MiB, 1))
    }
    await until('an answer', () => {
      more()
      return answer !== ''
    })
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.deepEqual(await server.left(), NOTHING)
    // It may go on for as long as a request may; nobody keeps what it sends.
    const [before, sent] = [process.memoryUsage.rss(), socket.bytesWritten]
    await until('a lot more', () => {
      more()
      return socket.bytesWritten > sent + 300 * MiB
    })
    assert.ok(process.memoryUsage.rss() - before < 150 * MiB)
    socket.destroy()
  })

test('a body that says that it is far too large is refused before it comes, and cut off', async (t) => {
  const server = await startImages(t)
  const socket = begin(server, server.user(), 10, { length: `Content-Length: ${100 * MiB}` })
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
  await until('the end', () => socket.destroyed)
  assert.match(answer, /^HTTP\/1.1 413 [^]*\r\nconnection: close\r\n/i)
})

test('uploads under way are bounded, of one user and of all', async (t) => {
  const server = await startImages(t, { places: { all: 3, each: 2 } })
  const [one, other] = [server.user(), server.user()]
  const drafts = (n: number) => until(`${n} drafts`, async () => (await server.left()).files.length === n)
  const sockets = [begin(server, one, 10), begin(server, one, 10)]
  await drafts(2)
  const refused = await one.upload(jpeg)
  assertProblem(refused, 429, 'rate_limited')
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  sockets.push(begin(server, other, 10))
  await drafts(3)
  const busy = await server.user().upload(jpeg)
  assertProblem(busy, 503, 'unavailable')
  assert.ok(Number(busy.headers.get('retry-after')) > 0)
  for (const socket of sockets) socket.destroy()
  await drafts(0)
  assert.equal(
    (
      await until('a place', async () => {
        const answer = await one.upload(jpeg)
        return answer.status === 201 && answer
      })
    ).status,
    201,
  )
})

test('drafts that a killed process left are removed at the start; those of others that still run stay', async (t) => {
  const { images, left, folder } = await startImages(t)
  mkdirSync(join(folder, 'drafts'), { recursive: true })
  for (const name of ['old', 'young']) writeFileSync(join(folder, 'drafts', name), 'x')
  const elevenMinutesAgo = Date.now() / 1000 - 660
  utimesSync(join(folder, 'drafts', 'old'), elevenMinutesAgo, elevenMinutesAgo)
  images.start()
  await until('the sweep', async () => (await left()).files.length < 2)
  assert.deepEqual((await left()).files, ['drafts/young'])
})
