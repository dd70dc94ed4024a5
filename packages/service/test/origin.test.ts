import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { originPolicy } from '../src/origin.ts'

async function listening(t: test.TestContext, host: string) {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  t.after(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

test('configured origins are the only ones', async (t) => {
  const { server, port } = await listening(t, '127.0.0.1')
  const policy = originPolicy(server, ['https://pando.example', 'http://localhost:5173'])
  assert.ok(policy.secure)
  assert.ok(policy.allows('https://pando.example', 'x'))
  assert.ok(policy.allows('http://localhost:5173', 'x'))
  for (const origin of [
    'http://pando.example',
    'https://pando.example.evil',
    'https://pando.example:8443',
    'null',
    `http://127.0.0.1:${port}`,
  ])
    assert.equal(policy.allows(origin, `127.0.0.1:${port}`), false, origin)
})

test('without any, on loopback: each name of loopback with the port', async (t) => {
  const { server, port } = await listening(t, '127.0.0.1')
  const policy = originPolicy(server)
  assert.equal(policy.secure, false)
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) assert.ok(policy.allows(`http://${name}:${port}`, ''), name)
  for (const origin of [
    `https://localhost:${port}`,
    'http://localhost',
    `http://localhost:${port}/`,
    'http://evil.example',
    `http://evil.example:${port}`,
    'null',
    '',
    'garbage',
  ])
    assert.equal(policy.allows(origin, `evil.example:${port}`), false, origin)
})

test('without any, on all addresses: also the host that the request was sent to', async (t) => {
  const { server, port } = await listening(t, '0.0.0.0')
  const policy = originPolicy(server)
  assert.ok(policy.allows(`http://localhost:${port}`, `localhost:${port}`))
  assert.ok(policy.allows('http://pando.lan', 'pando.lan'))
  for (const origin of ['http://evil.example', 'https://pando.lan', 'http://pando.lan:81'])
    assert.equal(policy.allows(origin, 'pando.lan'), false, origin)
})

test('before it listens, nothing is its own', () => {
  assert.equal(originPolicy(createServer()).allows('http://localhost:80', 'localhost:80'), false)
})
