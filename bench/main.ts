// `npm run bench [-- library|relay|http|sse|soak|idle|chat|market|web|kafka …]`: prints one table; a whole run also writes it to RESULTS.md with the
// machine and the commit.
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { cpus, loadavg, totalmem } from 'node:os'
import { createLog, startEmbeddedPostgres } from '@pando/service'
import { chat } from './chat.ts'
import { http } from './http.ts'
import { idle } from './idle.ts'
import { kafka } from './kafka.ts'
import { library } from './library.ts'
import { market } from './market.ts'
import { remove, temporaryFolder } from './pando.ts'
import { relay } from './relay.ts'
import { markdown, type Row } from './row.ts'
import { soak } from './soak.ts'
import { run as sse } from './sse.ts'
import { web } from './web.ts'
import { yardstick } from './yardstick.ts'

const PARTS = ['library', 'relay', 'http', 'sse', 'soak', 'idle', 'chat', 'market', 'web', 'kafka'] as const
type Part = (typeof PARTS)[number]

const wanted = process.argv.slice(2)
const parts = PARTS.filter((part) => wanted.length === 0 || wanted.includes(part))
if (parts.length === 0) throw new Error(`there is no part "${wanted.join(' ')}"; there are ${PARTS.join(', ')}`)

const rows = await withPostgres(async (clusterUrl) => {
  const run: Record<Part, () => Promise<Row[]>> = {
    library: () => library(clusterUrl),
    relay: () => relay(clusterUrl),
    http,
    sse: () => sse(),
    soak,
    idle,
    chat: () => chat(clusterUrl),
    market: () => market(clusterUrl),
    web: () => web(clusterUrl),
    kafka: () => kafka(clusterUrl),
  }
  const found = await yardstick(clusterUrl)
  for (const part of parts) found.push(...(await run[part]()))
  return found
})
const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
const machine = `${cpus().length} × ${cpus()[0]!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)} at the end`
const table = markdown(rows)
console.log(`${table}\n\n${commit} on ${machine}`)
if (parts.length === PARTS.length)
  await writeFile(
    new URL('RESULTS.md', import.meta.url),
    `# Results\n\nWritten by \`npm run bench\` at commit \`${commit}\` on ${machine}; PostgreSQL 18 with fsync on, load generator on the same cores. ` +
      `Single figures vary by ±30 % on such a machine; compare them with the yardsticks of the same run.\n\n${table}\n`,
  )

async function withPostgres<T>(fn: (clusterUrl: string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder()
  const postgres = await startEmbeddedPostgres({
    dataDir: `${folder}/data`,
    log: createLog({ level: 'warn', name: 'bench' }),
  })
  try {
    return await fn(postgres.url)
  } finally {
    await postgres.stop()
    await remove(folder)
  }
}
