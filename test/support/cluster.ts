// A cluster of the test's own, on an embedded PostgreSQL of its own.
import { createLog } from '@pando/service'
import { type Cluster, startCluster } from '../../tools/start-cluster.ts'
import type { Scope } from './postgres.ts'
import { CHEAP, inherited, killPostgresAtExit } from './process.ts'

const TAIL = 400

/** Two processes of each service and two gateways; stopped after the test. `lines` are the last that they said. */
export async function testCluster(
  scope: Scope,
  { env }: { env: Readonly<Record<string, string>> & { DATA_DIR: string } },
): Promise<Cluster & { readonly lines: readonly string[] }> {
  const lines: string[] = []
  killPostgresAtExit(env.DATA_DIR)
  const cluster = await startCluster({
    instances: 2,
    env: { ...inherited(), PORT: '0', METRICS_PORT: 'off', RATE_LIMIT: 'off', ...CHEAP, ...env },
    log: createLog({ level: 'warn', name: 'cluster' }),
    print: (line) => {
      lines.push(line)
      if (lines.length > TAIL) lines.shift()
    },
  }).catch((thrown: unknown) => {
    console.log(lines.join('\n'))
    throw thrown
  })
  scope.after(() => cluster.stop())
  return Object.assign(cluster, { lines })
}
