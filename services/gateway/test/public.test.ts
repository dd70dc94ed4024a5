// The page's files, without a browser: its texts, its weight, and that the content security policy lets all of it through.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import test from 'node:test'
import { gzipSync } from 'node:zlib'

type Words = Record<string, string>

const folder = new URL('../public/', import.meta.url)
const files = readdirSync(folder)
const read = (file: string): string => readFileSync(new URL(file, folder), 'utf8')
const page = read('index.html')
const { en, ko } = (await import(new URL('words.js', folder).href)) as { en: Words; ko: Words }

test('both languages have the same texts with the same blanks', () => {
  assert.deepEqual(Object.keys(ko), Object.keys(en))
  const blanks = (words = '') => [...new Set(words.match(/\{\w+\}/g))].toSorted()
  for (const [key, words] of Object.entries(en)) assert.deepEqual(blanks(ko[key]), blanks(words), key)
})

test('every text that the page asks for is there', () => {
  const asked = [...page.matchAll(/data-t(?:-label)?="([^"]+)"/g)].map(([, key = '']) => key)
  const families = [...new Set(Object.keys(en).map((key) => key.split('.')[0]))].join('|')
  const put = files
    .filter((file) => file.endsWith('.js') && file !== 'words.js')
    .flatMap((file) => [...read(file).matchAll(new RegExp(`'((?:${families})\\.[\\w.-]+)'`, 'g'))])
    .map(([, key = '']) => key)
  assert.ok(asked.length > 30 && put.length > 20)
  assert.deepEqual(
    [...asked, ...put].filter((key) => !(key in en)),
    [],
  )
})

test('nothing is inline and nothing comes from elsewhere', () => {
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)/i)
  for (const [, address = ''] of page.matchAll(/(?:src|href)="([^"#]+)"/g)) {
    if (address.startsWith('/api/') || address === './') continue
    assert.ok(files.includes(address), `${address} is a file of the page`)
  }
  for (const file of files) assert.doesNotMatch(read(file), /(?:url\(|@import|from ')(?:"|')?(?:https?:)?\/\//, file)
})

test('the page stays light', () => {
  const bytes = files.reduce((sum, file) => sum + statSync(new URL(file, folder)).size, 0)
  const zipped = files.reduce((sum, file) => sum + gzipSync(read(file)).length, 0)
  assert.ok(bytes < 120_000, `${bytes} bytes`)
  assert.ok(zipped < 40_000, `${zipped} bytes zipped`)
})
