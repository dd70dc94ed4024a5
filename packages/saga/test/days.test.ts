import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { test } from 'node:test'
import { dayOfId, today } from '../src/days.ts'

test('a day is a whole number of days since 1970, in UTC', () => {
  assert.equal(today(0), 0)
  assert.equal(today(Date.UTC(1970, 0, 2) - 1), 0)
  assert.equal(today(Date.UTC(1970, 0, 2)), 1)
  assert.equal(today(Date.UTC(2026, 10, 22, 23, 59, 59, 999)), 20_779)
})

test('the day of a UUIDv7 is the day it was made, that of another id is none', () => {
  assert.equal(dayOfId(randomUUIDv7()), today())
  // The example of RFC 9562, A.6: made on 22 February 2022.
  assert.equal(dayOfId('017f22e2-79b0-7cc3-98c4-dc0c0c07398f'), today(Date.UTC(2022, 1, 22)))
  assert.equal(dayOfId(randomUUID()), 0)
})
