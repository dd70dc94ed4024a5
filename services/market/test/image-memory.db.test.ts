import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bomb } from './fixtures.ts'
import { startImages } from './image-server.ts'

const MiB = 1 << 20

test('twenty large images at once take the memory of one', { timeout: 120_000 }, async (t) => {
  const { user, images } = await startImages(t)
  const owner = user()
  // It must be held whole while it is read: 90 to 140 MiB for one at a time, 250 and more for four, which libuv has threads for.
  const file = bomb(3_000, 3_000, { interlaced: true })
  assert.equal((await owner.upload(file)).status, 201)
  const before = process.memoryUsage.rss()
  let most = 0
  let queue = 0
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() - before)
    queue = Math.max(queue, images.waiting())
  }, 5)
  t.after(() => clearInterval(watch))
  const answers = await Promise.all(Array.from({ length: 20 }, () => owner.upload(file)))
  assert.ok(answers.every(({ status }) => status === 201))
  t.diagnostic(`${Math.round(most / MiB)} MiB more`)
  assert.ok(most < 190 * MiB, `${Math.round(most / MiB)} MiB more`)
  assert.ok(queue > 10, `they wait for their turn: ${queue}`)
})
