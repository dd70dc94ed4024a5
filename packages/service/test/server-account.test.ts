import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { assertReachable } from '../src/server-account.ts'

const outer = mkdtempSync(join(realpathSync(tmpdir()), 'pando-'))
const inner = mkdtempSync(join(outer, 'inner-'))
chmodSync(inner, 0o755)
after(() => rmSync(outer, { recursive: true }))

const stranger = { uid: 54321, gid: 54321 }
const { uid, gid } = statSync(outer)

test('a closed folder above is named, with the way out', () => {
  chmodSync(outer, 0o700)
  assert.throws(() => assertReachable(inner, stranger), {
    name: 'StartError',
    code: 'PANDO_DATA_DIR',
    message: new RegExp(`^${outer} is closed to the user with the id 54321.*chmod o\\+x ${outer}"`),
  })
})

test('owner, group and others each have their own bit', () => {
  chmodSync(outer, 0o700)
  assertReachable(inner, { uid, gid: 54321 })
  chmodSync(outer, 0o710)
  assertReachable(inner, { uid: 54321, gid })
  chmodSync(outer, 0o711)
  assertReachable(inner, stranger)
  chmodSync(outer, 0o701)
  assert.throws(() => assertReachable(inner, { uid: 54321, gid }), { code: 'PANDO_DATA_DIR' })
})
