import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import * as library from '../src/index.ts'
import * as testing from '../src/testing.ts'

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
const readme = read('README.md')
const blocks = [...readme.matchAll(/^```(?:ts|text)\n(.*?)^```$/gms)].map(([, block]) => block)

test('the example in the README is examples/order.ts, and prints what it says', () => {
  assert.ok(blocks[0] === read('examples/order.ts'), 'copy the example into the README')
  assert.ok(blocks[1] === read('examples/order.expected.txt'), 'copy what it prints into the README')
})

test('the README names every function that can be imported', () => {
  const table = readme.slice(readme.indexOf('## API at a glance'))
  const missing = [...Object.keys(library), ...Object.keys(testing)].filter(
    (name) => !new RegExp(`\\b${name}\\b`).test(table),
  )
  assert.deepEqual(missing, [])
})
