// What was begun before the app was there is taken once, and not when it may be out of date.
import assert from 'node:assert/strict'
import test from 'node:test'
import { begin, forgetBegun, takeBegun } from '../src/begun.ts'

test('an answer is taken once, and none after something has happened', async (t) => {
  t.mock.method(globalThis, 'fetch', async (address: string) => new Response(address))
  void begin('/api/me')
  assert.equal(takeBegun('/api/rooms'), undefined)
  assert.equal(await (await takeBegun('/api/me'))?.text(), '/api/me')
  assert.equal(takeBegun('/api/me'), undefined)
  void begin('/api/rooms')
  forgetBegun()
  assert.equal(takeBegun('/api/rooms'), undefined)
})

test('what fails before anybody has taken it is for the one who takes it', async (t) => {
  t.mock.method(globalThis, 'fetch', () => Promise.reject(new TypeError('no network')))
  await assert.rejects(begin('/api/me'))
  await assert.rejects(takeBegun('/api/me')!, /no network/)
})
