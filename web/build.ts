// `npm run build -w @pando/web`, also at the end of `npm ci`: dist/, with a .br and a .gz beside each file that is worth it.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'

await build({ root: import.meta.dirname, logLevel: 'warn' })

const { BROTLI_PARAM_QUALITY, BROTLI_MAX_QUALITY } = constants
for (const file of globSync('dist/**/*.{js,css,html,svg,webmanifest}', { cwd: import.meta.dirname })) {
  const path = new URL(file, import.meta.url)
  const bytes = readFileSync(path)
  writeFileSync(
    new URL(`${file}.br`, import.meta.url),
    brotliCompressSync(bytes, { params: { [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY } }),
  )
  writeFileSync(new URL(`${file}.gz`, import.meta.url), gzipSync(bytes, { level: 9 }))
}
