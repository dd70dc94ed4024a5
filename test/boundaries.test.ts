// Who may import whom, what files may not be called, and that the links of the documents lead somewhere.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, parse } from 'node:path'
import test from 'node:test'

const root = join(import.meta.dirname, '..')
const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: ['**/node_modules', '**/dist', 'data'] })
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const IMPORT = /^[ \t]*(?:import|export)\b[^'"`;]*?['"](?<from>[^'"\n]+)['"]|\bimport\(\s*['"](?<lazy>[^'"\n]+)['"]/gm
const imports = find('**/*.{ts,tsx}').flatMap((file) =>
  [...read(file).matchAll(IMPORT)].map(({ 0: text, groups }) => ({
    file,
    text,
    path: groups?.from ?? groups?.lazy ?? '',
  })),
)
const faults = (wrong: (file: string, path: string, text: string) => boolean): string[] =>
  imports.filter(({ file, path, text }) => wrong(file, path, text)).map(({ file, path }) => `${file} imports ${path}`)

// A package that is missing here may import none of ours. Files outside packages/ and services/ compose the system: they may import all.
const BELOW: Record<string, string[]> = { saga: [], events: ['saga'], service: ['saga'], live: ['events'] }
const BELOW_SERVICES = ['saga', 'events', 'service']

test('packages and services import only what is below them', () => {
  assert.ok(imports.length > 0, 'the scan finds imports')
  const wrong = faults((file, path) => {
    const [, kind, unit = ''] = /^(packages|services)\/([^/]+)\//.exec(file) ?? []
    const target = /^@pando\/([^/]+)/.exec(path)?.[1]
    if (kind === undefined || target === undefined || target === unit) return false
    return !(kind === 'services' ? BELOW_SERVICES : (BELOW[unit] ?? [])).includes(target)
  })
  assert.deepEqual(wrong, [])
})

test('what browsers load of packages/live imports nothing but its own files, and types of the events', () => {
  const isOwn = /^\.\/[a-z-]+\.ts$/
  const isType = /^\s*(import|export) type\b/
  assert.deepEqual(
    faults(
      (file, path, text) =>
        file.startsWith('packages/live/src/') &&
        /\bfrom ['"]|\bimport\b/.test(text) &&
        !isOwn.test(path) &&
        !(/^@pando\/events\/(stream|views)$/.test(path) && isType.test(text)),
    ),
    [],
  )
})

test('the web app imports nothing from the packages but the client of the stream; its tests what they compare it with', () => {
  assert.deepEqual(
    faults((file, path) => file.startsWith('web/src/') && path.startsWith('@pando/') && path !== '@pando/live'),
    [],
  )
})

test('no import climbs by ../../', () => {
  // Ways that are open, all for tests: a package's to test/support, which is no package, because the library must not name it as one;
  // a folder of a package's tests to that package's sources; those of the whole system to the files that compose it, to the tools that run
  // it, and to a feature; the broker's tool to test/support.
  const open: [from: RegExp, to: RegExp][] = [
    [/^(packages|services)\/[^/]+\/test\//, /^(\.\.\/){3}test\/support\/[a-z-]+\.ts$/],
    [/^packages\/[^/]+\/test\/[^/]+\//, /^(\.\.\/){2}src\/[a-z-]+\.ts$/],
    [/^test\/[^/]+\//, /^(\.\.\/){2}(services\/[a-z]+\/src\/|tools\/|tools\/(demo|kafka)\/)?[a-z-]+\.ts$/],
    [/^tools\/kafka\//, /^(\.\.\/){2}test\/support\/[a-z-]+\.ts$/],
  ]
  assert.deepEqual(
    faults((file, path) => path.includes('../../') && !open.some(([from, to]) => from.test(file) && to.test(path))),
    [],
  )
})

test('a file is called after what it holds', () => {
  const names = new Set(['utils', 'common', 'helpers', 'lib', 'types', 'interfaces'])
  assert.deepEqual(
    find('**/*.{ts,tsx,js}').filter((file) => names.has(parse(file).name)),
    [],
  )
})

test('links in the documents lead to files of the repository', () => {
  const dead = find('{,deploy/,docs/**/,packages/*/,services/*/,web/}*.md').flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !existsSync(link.startsWith('/') ? join(root, link) : join(root, dirname(page), link)))
      .map((link) => `${page} links to ${link}`),
  )
  assert.deepEqual(dead, [])
})
