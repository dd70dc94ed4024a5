// The texts: the same blanks in both languages, and one for each error that the server may answer with.
import assert from 'node:assert/strict'
import test from 'node:test'
import { problemTable } from '@pando/service'
import { fill } from '../src/fill.ts'
import { en } from '../src/words/en.ts'
import { ko } from '../src/words/ko.ts'

const languages: Record<string, Record<string, string>> = { en, ko }
const blanksOf = (text = ''): string[] => [...new Set(text.match(/\{\w+\}/g))].toSorted()

test('both languages have the same texts with the same blanks', () => {
  assert.deepEqual(Object.keys(ko), Object.keys(en))
  for (const [key, text] of Object.entries(languages.en!))
    assert.deepEqual(blanksOf(languages.ko![key]), blanksOf(text), key)
})

for (const [language, words] of Object.entries(languages))
  test(`each error code has words: ${language}`, () => {
    assert.deepEqual(
      [...Object.keys(problemTable), 'network'].filter((code) => !words[`problem.${code}`]),
      [],
    )
  })

test('no Korean is left in the English, and every Korean text that says something is Korean', () => {
  const hangul = /[\uac00-\ud7a3]/
  assert.deepEqual(
    Object.entries(en).filter(([, text]) => hangul.test(text)),
    [],
  )
  assert.deepEqual(
    Object.entries(ko).filter(
      ([, text]) => /[a-z]{3}/.test(text.replaceAll(/\{[^}]+\}|[\w.]+@[\w.]+|example\.com/g, '')) && !hangul.test(text),
    ),
    [],
  )
})

test('one is not many', () => {
  assert.equal(fill(en['post.wishes'], { count: 1 }), '1 wish')
  assert.equal(fill(en['post.wishes'], { count: 0 }), '0 wishes')
})

test('the particle behind a blank follows its last syllable', () => {
  const said = (title: string): string => fill('{title}{을/를}', { title })
  assert.equal(said('올리브'), '올리브를')
  assert.equal(said('화분'), '화분을')
  assert.equal(said('토분 3'), '토분 3을')
  assert.equal(said('Fern'), 'Fern을')
  assert.equal(said('Olive'), 'Olive를')
})
