// What a first visit loads, and what it does not. `npm ci`, or `npm run build -w @pando/web`, has built it.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { gzipSync } from 'node:zlib'

interface Chunk {
  file: string
  isEntry?: boolean
  imports?: string[]
  dynamicImports?: string[]
  css?: string[]
}

const dist = new URL('../dist/', import.meta.url)
const read = (file: string): Buffer => readFileSync(new URL(file, dist))
const manifest = JSON.parse(read('.vite/manifest.json').toString()) as Record<string, Chunk>
const entry = Object.keys(manifest).find((name) => manifest[name]!.isEntry)!

/** A chunk and what it cannot do without. */
function needs(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found
  found.add(name)
  for (const other of manifest[name]!.imports ?? []) needs(other, found)
  return found
}

const kilobytes = (files: Iterable<string>): number =>
  [...new Set(files)].reduce((sum, file) => sum + gzipSync(read(file)).length, 0) / 1024

const loadedBy = (...names: string[]): Chunk[] =>
  [...new Set(names.flatMap((name) => [...needs(name)]))].map((name) => manifest[name]!)

const PAGES = Object.keys(manifest).filter((name) => name.startsWith('src/pages/'))

for (const page of PAGES)
  test(`the first load of ${page} is light`, () => {
    const chunks = loadedBy(entry, 'src/words/ko.ts', page)
    const [js, css] = [kilobytes(chunks.map(({ file }) => file)), kilobytes(chunks.flatMap(({ css: own = [] }) => own))]
    assert.ok(js <= 150, `${js.toFixed(1)} KB of JavaScript`)
    assert.ok(css <= 20, `${css.toFixed(1)} KB of CSS`)
    // Over HTTP/1.1 a browser fetches six at a time, and on a slow line each waits for its turn.
    assert.ok(chunks.length <= 7, `in ${chunks.length} files: ${chunks.map(({ file }) => file).join()}`)
  })

test('each page is a chunk of its own, and no page of the market brings the operator’s', () => {
  assert.ok(PAGES.length >= 10, PAGES.join())
  const admin = Object.keys(manifest).filter((name) => name.startsWith('src/admin/'))
  const inShop = new Set([entry, ...PAGES].flatMap((page) => [...needs(page)]))
  assert.deepEqual(
    admin.filter((name) => inShop.has(name)),
    [],
  )
  for (const page of PAGES) assert.ok(!needs(entry).has(page), page)
})

test('nothing is inline and nothing comes from elsewhere', () => {
  const page = read('index.html').toString()
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)/i)
  for (const [, address = ''] of page.matchAll(/(?:src|href)="([^"#]+)"/g)) assert.match(address, /^\//)
  for (const file of globSync('**/*.css', { cwd: dist }))
    assert.doesNotMatch(read(file).toString(), /(?:url\(|@import)/, file)
})
