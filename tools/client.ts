// `npm run client`: writes web/src/contract.generated.ts, the types of what the services take and answer, from their OpenAPI document,
// without running any of them. `-- --check` writes nothing, and fails when that file is not current.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { format, type FormatOptions } from 'oxfmt'
import { type OpenApi, renderClient } from './client-types.ts'
import { describePando } from './openapi.ts'

const FILE = 'web/src/contract.generated.ts'

const INTRODUCTION = `// Written by \`npm run client\` from the OpenAPI document of the services, and checked against it by the tests. Do not edit it: change the
// schema of the route.

`

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
process.exitCode = await main(values.check)

async function main(onlyCheck: boolean): Promise<number> {
  const document = (await describePando()) as OpenApi
  const text = await formatted(INTRODUCTION + renderClient(document))
  if (!onlyCheck) writeFileSync(FILE, text)
  else if (text !== read(FILE)) {
    console.error(`client: ${FILE} is not current: run npm run client`)
    return 1
  }
  console.log(`${FILE} is current: ${Object.keys(document.paths).length} addresses`)
  return 0
}

async function formatted(text: string): Promise<string> {
  const { ignorePatterns: _, ...options } = JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '.oxfmtrc.json'), 'utf8'),
  ) as FormatOptions & { ignorePatterns: string[] }
  const { code, errors } = await format(FILE, text, options)
  if (errors.length > 0) throw new Error(`what was made is no TypeScript: ${JSON.stringify(errors)}`)
  return code
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
