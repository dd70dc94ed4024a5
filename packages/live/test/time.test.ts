import assert from 'node:assert/strict'
import { test } from 'node:test'
import { follow, startServer, until } from './follow.ts'

// What takes seconds to hours, against the real hub, which lives by the same clock.

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** While a slow machine connects, the clock runs on. */
const SLOWNESS = 5 * SECOND

/** Milliseconds from each request to the next. */
const gapsOf = (requests: readonly { at: number }[]): number[] =>
  requests.slice(1).map(({ at }, i) => at - requests[i]!.at)

test('one failure after the other is waited for longer, each time by chance, up to half a minute', async (t) => {
  const server = await startServer(t)
  server.troubles.push(...Array.from({ length: 9 }, () => 502))
  const client = follow(t, server)
  await client.loaded(2)
  const gaps = gapsOf(server.requests)
  for (const [i, gap] of gaps.entries()) {
    const most = Math.min(30, 2 ** i) * SECOND
    assert.ok(gap >= most / 2 && gap <= most + SLOWNESS, `${gap} ms after failure ${i + 1}`)
  }
  assert.ok(new Set(gaps.slice(-4)).size > 1, `always the same: ${gaps.join(' ')}`)
  // State is better than none, and was fetched once while there was no stream.
  assert.equal(client.loads, 2)
})

test('the wait that the server asks for is kept: in the stream, and in Retry-After', async (t) => {
  const server = await startServer(t, { retryMs: 7 * SECOND })
  const client = follow(t, server)
  await client.loaded(1)
  const endedAt = Date.now()
  server.end()
  await until('back', () => server.requests.length === 2)
  const waited = server.requests[1]!.at - endedAt
  assert.ok(waited >= 7 * SECOND && waited < 7 * SECOND + SLOWNESS, `${waited} ms`)
  await until('open', () => client.live.state === 'open')
  server.troubles.push({ status: 503, retryAfter: 45 })
  server.end()
  await until('refused', () => client.live.state === 'offline')
  const refusedAt = Date.now()
  client.live.wake()
  await until('open', () => client.live.state === 'open')
  assert.ok(server.requests[3]!.at - refusedAt >= 45 * SECOND)
})

test('a full server is left alone for half a minute or more, but the state is there', async (t) => {
  const server = await startServer(t)
  server.troubles.push('busy', 'busy')
  const client = follow(t, server)
  await until('told', () => client.live.state === 'offline')
  assert.equal(client.loads, 1)
  // Not even when somebody looks at the page.
  client.live.wake()
  await until('open', () => client.live.state === 'open')
  const gaps = gapsOf(server.requests)
  assert.equal(gaps.length, 2)
  for (const gap of gaps) assert.ok(gap >= 30 * SECOND && gap <= 60 * SECOND + SLOWNESS, `${gap} ms`)
  // That it was answered at all is no sign that it is open: after the first time that is not shown.
  assert.deepEqual(client.states, ['connecting', 'open', 'offline', 'open'])
  await client.got(server.append('notification.read', { unread: 1 }))
})

test('an hour: the server ends streams every ten minutes, nobody sees trouble, nothing is lost', async (t) => {
  const server = await startServer(t)
  const client = follow(t, server)
  await client.loaded(1)
  const startedAt = Date.now()
  let minutes = 0
  const anEventAMinute = (): boolean => {
    for (; minutes < (Date.now() - startedAt) / MINUTE; minutes++)
      server.append('notification.read', { unread: minutes })
    return minutes >= 60
  }
  await until('an hour', anEventAMinute, 3 * SECOND)
  await client.got('e0-60')
  assert.deepEqual(
    client.ids(),
    Array.from({ length: 60 }, (_, i) => `e0-${i + 1}`),
  )
  const connections = server.requests.length
  assert.ok(connections >= 5 && connections <= 9, `${connections} connections`)
  assert.ok(!client.states.includes('offline'))
  assert.deepEqual([client.loads, client.errors], [1, []])
})

test('silence ends a connection after 75 s, and the next one brings what was missed', async (t) => {
  const server = await startServer(t)
  const client = follow(t, server)
  await client.loaded(1)
  await client.got(server.append('notification.read', { unread: 1 }))
  server.silence()
  const silentAt = Date.now()
  server.append('notification.read', { unread: 2 })
  await client.got('e0-2')
  const noticed = server.requests[1]!.at - silentAt
  assert.ok(noticed >= 75 * SECOND - 15 * SECOND && noticed <= 90 * SECOND, `${noticed} ms`)
  assert.deepEqual(client.ids(), ['e0-1', 'e0-2'])
  assert.match(String(client.errors[0]), /nothing came from .* for \d\d s/)
})

test('a machine that wakes from sleep sees at once that its connection is dead', async (t) => {
  const server = await startServer(t)
  const client = follow(t, server)
  await client.loaded(1)
  await client.got(server.append('notification.read', { unread: 1 }))
  server.silence()
  // While it sleeps the clock goes on and no timer runs.
  t.mock.timers.setTime(Date.now() + 60 * MINUTE)
  server.append('notification.read', { unread: 2 })
  const wokeAt = Date.now()
  await client.got('e0-2')
  assert.ok(Date.now() - wokeAt <= 10 * SECOND, `${Date.now() - wokeAt} ms`)
  assert.equal(client.loads, 1)
})

test('nor does it wait on for what it was waiting for when it fell asleep', async (t) => {
  const server = await startServer(t)
  server.troubles.push(502)
  const { mock } = t.mock.method(globalThis, 'setTimeout', () => undefined)
  const client = follow(t, server)
  await until('refused', () => client.live.state === 'offline')
  mock.restore()
  t.mock.timers.setTime(Date.now() + 60 * MINUTE)
  const wokeAt = Date.now()
  await until('open', () => client.live.state === 'open')
  assert.ok(Date.now() - wokeAt <= 10 * SECOND, `${Date.now() - wokeAt} ms`)
})

test('a server that takes the connection and never answers is given up after 20 s', async (t) => {
  const server = await startServer(t)
  server.troubles.push('nothing')
  const client = follow(t, server)
  const startedAt = Date.now()
  await client.loaded(1)
  const waited = Date.now() - startedAt
  assert.ok(waited >= 20 * SECOND && waited <= 30 * SECOND, `${waited} ms`)
})

test('who knows that the network is back need not wait', async (t) => {
  const server = await startServer(t)
  server.troubles.push(...Array.from({ length: 8 }, () => 'reset' as const))
  const client = follow(t, server)
  await until('failures', () => client.errors.length === 8)
  const before = Date.now()
  client.live.wake()
  await until('open', () => client.live.state === 'open')
  // It would have waited for 15 s at least.
  assert.ok(Date.now() - before <= 10 * SECOND, `${Date.now() - before} ms`)
  assert.equal(server.requests.length, 9)
})
