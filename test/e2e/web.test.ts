// The web app as it is served, with the contract that it is made for.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { describePando } from '../../tools/openapi.ts'
import { startSystem } from '../support/system.ts'

const { url } = await startSystem({ after })
const NAVIGATION = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(new URL(path, url), { headers: { 'accept-encoding': 'identity', ...headers } })
const page = await (await get('/', NAVIGATION)).text()
const script = /<script[^>]* src="([^"]+)"/.exec(page)![1]!

test('an address that only the app knows leads to its page', async () => {
  for (const path of ['/', '/rooms/01a20fc3-0971-745a-9fec-326427b995dd', '/admin/sagas', '/sign-up?saga=1']) {
    const response = await get(path, NAVIGATION)
    assert.equal(response.status, 200, path)
    assert.equal(response.headers.get('cache-control'), 'no-cache', path)
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /script-src 'self'; style-src 'self'/)
    assert.equal(await response.text(), page, path)
  }
})

test('what is not the app’s stays unknown', async () => {
  for (const path of ['/api', '/api/nothing', '/assets/gone-12345678.js', '/picture.png', '/.vite/manifest.json']) {
    const response = await get(path, NAVIGATION)
    assert.equal(response.status, 404, path)
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, path)
  }
  assert.equal((await get('/rooms', { accept: 'application/json' })).status, 404)
  assert.equal((await fetch(new URL('/rooms', url), { method: 'POST' })).status, 404)
})

test('files whose names have a hash are kept for ever, and sent compressed', async () => {
  const plain = Buffer.from(await (await get(script)).arrayBuffer())
  for (const encoding of ['br', 'gzip']) {
    const { headers, ...response } = await compressed(script, encoding)
    assert.equal(headers.get('content-encoding'), encoding)
    assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.match(headers.get('vary') ?? '', /accept-encoding/i)
    assert.match(headers.get('content-type') ?? '', /javascript/)
    assert.ok(response.body.equals(plain))
  }
  const manifest = await get('/manifest.webmanifest')
  assert.match(manifest.headers.get('content-type') ?? '', /^application\/manifest\+json/)
})

/** The headers as they came, the bytes as fetch() has expanded them. */
async function compressed(path: string, encoding: string): Promise<{ headers: Headers; body: Buffer }> {
  const response = await get(path, { 'accept-encoding': encoding })
  return { headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
}

test('the contract that is served is the one that the app’s client is made of', async () => {
  assert.deepEqual(await (await get('/api/openapi.json')).json(), JSON.parse(JSON.stringify(await describePando())))
})
