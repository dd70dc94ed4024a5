import assert from 'node:assert/strict'
import test from 'node:test'
import { isClean, judge } from './oracle.ts'

const committed = new Map([
  ['fern', 3],
  ['oak', 1],
])
const effects = (text: string) =>
  text.split(' ').map((part) => ({ key: part.slice(0, -1), version: Number(part.at(-1)) }))
const clean = { events: 4, lost: 0, doubled: 0, disordered: 0, invented: 0 }

test('each effect once and in order is clean, however the keys interleave', () => {
  assert.deepEqual(judge(committed, effects('fern1 oak1 fern2 fern3')), clean)
  assert.ok(isClean(clean))
})

for (const [what, text, found] of [
  ['lost', 'fern1 fern3 oak1', { lost: 1 }],
  ['lost with its whole key', 'fern1 fern2 fern3', { lost: 1 }],
  ['doubled, which is no disorder', 'fern1 fern2 fern1 fern3 fern3 oak1', { doubled: 2 }],
  ['out of order', 'fern2 fern1 fern3 oak1', { disordered: 1 }],
  ['of a version that never was', 'fern1 fern2 fern3 fern4 oak1', { invented: 1 }],
  ['of a key that never was', 'fern1 fern2 fern3 oak1 elm1', { invented: 1 }],
] as const)
  test(`an effect that is ${what} is seen`, () => {
    const verdict = judge(committed, effects(text))
    assert.deepEqual(verdict, { ...clean, ...found })
    assert.equal(isClean(verdict), false)
  })
