// Which code an address needs, as boot.ts asks for it: the router finds the same.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { pagesAt } from '../src/addresses.ts'

const table = readFileSync(new URL('../src/pages.ts', import.meta.url), 'utf8')
const patterns = [...table.matchAll(/^ +'(\/.*)': \(\) => import\(/gm)].map(([, pattern = '']) => pattern)
const at = (address: string): string[] => pagesAt(address, patterns)

test('every page is found at its address, within what it is shown in', () => {
  assert.ok(patterns.length >= 18, patterns.join())
  for (const pattern of patterns) assert.equal(at(pattern.replaceAll(/:\w+/g, '01a2281c-91e3')).at(-1), pattern)
  assert.deepEqual(at('/rooms/01a2281c-91e3'), ['/rooms', '/rooms/:id'])
  assert.deepEqual(at('/admin/sagas/sign-up/01a2281c-91e3'), ['/admin', '/admin/sagas/:type/:id'])
  assert.deepEqual(at('/posts/new'), ['/posts/new'])
  assert.deepEqual(at('/settings/'), ['/settings'])
})

test('where there is no page, none', () => {
  for (const address of ['/nowhere', '/posts', '/posts/1/2/edit', '/rooms/1/2', '/admin/nothing'])
    assert.deepEqual(at(address), [], address)
})
