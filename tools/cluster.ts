// Several processes of each service on this machine: `npm run cluster -- --instances 2`. What one of them says is said here, on stderr.
import { parseArgs } from 'node:util'
import { createLog, loadConfig, run, type Running, StartError } from '@pando/service'
import { startCluster } from './start-cluster.ts'

const MOST = 9
// What it waits for are processes that may take 9 s themselves, and then PostgreSQL.
const DRAIN_MS = 20_000

async function start(signal: AbortSignal): Promise<Running> {
  const instances = instancesOf(process.argv.slice(2))
  const { logLevel } = loadConfig(process.env)
  const cluster = await startCluster({
    instances,
    env: process.env,
    log: createLog({ level: logLevel, name: 'cluster' }),
    print: (line) => process.stderr.write(`${line}\n`),
    signal,
  })
  return { url: `${cluster.url} (gateways: ${cluster.gateways.join(', ')})`, stop: () => cluster.stop() }
}

await run('Pando', start, DRAIN_MS)

function instancesOf(args: string[]): number {
  const usage = (what: string): StartError =>
    new StartError(
      'PANDO_CONFIG',
      `${what}: say npm run cluster -- --instances N, with N from 1 to ${MOST} (default 2).`,
    )
  let text: string
  try {
    text = parseArgs({ args, options: { instances: { type: 'string', default: '2' } } }).values.instances
  } catch (thrown) {
    throw usage((thrown as Error).message.replace(/\..*$/s, ''))
  }
  if (!/^[1-9]$/.test(text)) throw usage(`--instances ${text} is not legal`)
  return Number(text)
}
