import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparable, keywordOf, keywordsIn, lengthOf, searchText, wordsOf } from '../src/search-text.ts'

test('texts are compared composed, in lower case, with single spaces', () => {
  assert.equal(comparable('  MONSTERA\t\n  Albo\u3000\u00a0x '), 'monstera albo x')
  assert.equal(comparable('몬스테라'.normalize('NFD')), '몬스테라')
  assert.equal(comparable('E\u0301COLE'), 'école')
  // In lower case it has two characters that compose no further.
  assert.equal(comparable(comparable('İSTANBUL')), comparable('İSTANBUL'))
  assert.equal(searchText('A  b', 'c\nd'), 'a b\nc d')
})

test('the words of a query, each once, counted in code points', () => {
  assert.deepEqual(wordsOf('  몬스 Alba alba  a '), ['몬스', 'alba', 'a'])
  assert.deepEqual(wordsOf(' \u3000\n'), [])
  assert.deepEqual([lengthOf('🌱🌿'), lengthOf('몬스')], [2, 2])
})

test('a keyword has 2 to 30 characters, without the spaces around it', () => {
  assert.deepEqual(keywordOf(' Monstera   ALBO '), { keyword: 'Monstera ALBO', match: 'monstera albo' })
  assert.deepEqual(keywordOf('다육'.normalize('NFD')), { keyword: '다육', match: '다육' })
  assert.deepEqual(keywordOf('🌱🌿')?.match, '🌱🌿')
  assert.ok(keywordOf('x'.repeat(30)))
  for (const text of ['', 'x', ' x ', '🌱', '가'.normalize('NFD'), 'x'.repeat(31)])
    assert.equal(keywordOf(text), undefined, text)
})

test('a title has exactly the keywords that are a part of it', () => {
  assert.deepEqual(keywordsIn('a bc').toSorted(), ['a b', 'a bc', 'bc'])
  assert.deepEqual(keywordsIn('aaa').toSorted(), ['aa', 'aaa'])
  assert.deepEqual(keywordsIn('x'), [])
  const title = '몬스테라 Albo 삽수 🌱🌿 %_\\'
  const found = keywordsIn(title)
  for (const part of ['몬스', '스테라 albo', '삽수 🌱', '🌱🌿', '%_\\']) assert.ok(found.includes(part), part)
  for (const part of found) assert.ok(comparable(title).includes(part) && keywordOf(part)?.match === part, part)
  const longest = keywordsIn(Array.from({ length: 100 }, (_, i) => String.fromCodePoint(0xac00 + i)).join(''))
  assert.equal(
    longest.length,
    Array.from({ length: 29 }, (_, i) => 99 - i).reduce((sum, n) => sum + n),
  )
})
