// `npm run build -w @pando/live [-- folder]`: what is published, as JavaScript and declarations that need nothing else, in dist/.
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { STREAM_EVENTS } from '@pando/events/stream'
import * as views from '@pando/events/views'
import manifest from './package.json' with { type: 'json' }

/** For Symbol.asyncDispose, whatever the reader's compiler is set to. */
const LIB = '/// <reference lib="esnext.disposable" />\n'

const here = import.meta.dirname
const dist = resolve(process.argv[2] ?? join(here, 'dist'))
rmSync(dist, { recursive: true, force: true })
mkdirSync(dist, { recursive: true })

for (const file of globSync('src/*.ts', { cwd: here }))
  write(basename(file).replace('.ts', '.js'), bare(stripTypeScriptTypes(readFileSync(join(here, file), 'utf8'))))

const declared = mkdtempSync(join(tmpdir(), 'pando-live-'))
execFileSync('tsc', ['-p', here, '--outDir', declared], { stdio: 'inherit' })
for (const file of globSync('packages/live/src/*.d.ts', { cwd: declared }))
  write(basename(file), LIB + readFileSync(join(declared, file), 'utf8'))
rmSync(declared, { recursive: true })
write('events.d.ts', declareEvents())

const { name, version, description, license, type, sideEffects } = manifest
const exports = { '.': { types: './index.d.ts', default: './index.js' } }
const published = { name, version, description, license, type, sideEffects, engines: { node: '>=20' }, exports }
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
cpSync(join(here, 'README.md'), join(dist, 'README.md'))
cpSync(join(here, '../../LICENSE'), join(dist, 'LICENSE'))

function write(file: string, text: string): void {
  const imports = text.replaceAll(/'@pando\/events\/(stream|views)'|"@pando\/events\/(stream|views)"/g, "'./events.js'")
  writeFileSync(join(dist, file), imports.replaceAll(/(from ['"]\.\/[a-z-]+)\.ts(?=['"])/g, '$1.js'))
}

/** Without the lines that are only comments, and without the blanks: what types leave of them, and indentation. */
function bare(code: string): string {
  const lines = code.replaceAll(/^[ \t]*(\/\/.*|\/\*\*[\s\S]*?\*\/)$/gm, '').split('\n')
  return `${lines
    .map((line) => line.trim().replaceAll(/ {2,}/g, ' '))
    .filter((line) => line !== '')
    .join('\n')}\n`
}

interface Schema {
  type?: string | string[]
  enum?: unknown[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  patternProperties?: Record<string, Schema>
}

/** The types of what a stream tells, from the schemas that the server checks it with. */
function declareEvents(): string {
  const named = Object.entries(views as unknown as Record<string, Schema>).filter(([, it]) => typeof it === 'object')
  const names = new Map(named.map(([view, schema]) => [schema, view]))
  function typeOf(schema: Schema, isNamed = true): string {
    const alias = isNamed && names.get(schema)
    if (alias) return alias
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
    if (Array.isArray(schema.type)) return schema.type.map((one) => typeOf({ ...schema, type: one })).join(' | ')
    if (schema.type === 'array') return `(${typeOf(schema.items!)})[]`
    if (schema.type === 'integer') return 'number'
    if (schema.patternProperties) return `Record<string, ${typeOf(Object.values(schema.patternProperties)[0]!)}>`
    if (schema.type === 'object') {
      const members = Object.entries(schema.properties!).map(
        ([key, value]) => `${JSON.stringify(key)}${schema.required?.includes(key) ? '' : '?'}: ${typeOf(value)}`,
      )
      return `{ ${members.join('; ')} }`
    }
    return schema.type ?? 'unknown'
  }
  const events = Object.entries(STREAM_EVENTS as unknown as Record<string, Schema>).map(
    ([event, schema]) => `  ${JSON.stringify(event)}: ${typeOf(schema)}`,
  )
  return [
    ...named.map(([view, schema]) => `export type ${view} = ${typeOf(schema, false)}`),
    `export interface StreamEventData {\n${events.join('\n')}\n}`,
    'export type StreamEventType = keyof StreamEventData\n',
  ].join('\n')
}
