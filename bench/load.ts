// What load on a running Pando is made of.
import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase, type Database } from '@pando/saga'
import { type Connection, open } from './keep-alive.ts'
import { quantile } from './row.ts'

/** Who asks for something. */
export interface Someone {
  id: string
  token: string
}

export interface Load {
  perSecond: number
  p50: number
  p99: number
}

export const pick = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)]!

export const openAll = (url: string, count: number): Promise<Connection[]> =>
  Promise.all(Array.from({ length: count }, () => open(url)))

/** Runs `count` of them over these connections, one at a time on each, and returns what they made, in order. */
export async function together<T>(
  connections: readonly Connection[],
  count: number,
  run: (connection: Connection, i: number) => Promise<T>,
): Promise<T[]> {
  const made: T[] = []
  let next = 0
  await Promise.all(
    connections.map(async (connection) => {
      for (let i = next++; i < count; i = next++) made[i] = await run(connection, i)
    }),
  )
  return made
}

export async function load(
  connections: readonly Connection[],
  count: number,
  run: (connection: Connection) => Promise<unknown>,
): Promise<Load> {
  const from = performance.now()
  const times = await together(connections, count, async (connection) => {
    const began = performance.now()
    await run(connection)
    return performance.now() - began
  })
  const seconds = (performance.now() - from) / 1000
  return { perSecond: count / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
}

/** The body of an answer that must have this status. */
export async function must(
  connection: Connection,
  expected: number,
  ...[method, path, token, body]: Parameters<Connection['ask']>
): Promise<string> {
  const answer = await connection.ask(method, path, token, body)
  if (answer.status !== expected) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`)
  return answer.body
}

/** Signs up the person of this number and logs them in. */
export async function join(connection: Connection, i: number): Promise<Someone> {
  const who = {
    username: `bench.${i}`,
    password: 'a-long-password',
    displayName: `Person ${i}`,
    email: `${i}@example.org`,
  }
  const { userId } = JSON.parse(await must(connection, 202, 'POST', '/api/users', '', JSON.stringify(who)))
  for (;;) {
    const answer = await connection.ask('POST', '/api/sessions', '', JSON.stringify(who))
    if (answer.status === 201) return { id: userId, token: JSON.parse(answer.body).accessToken }
    await sleep(20)
  }
}

/** The database of a service, for what would take too long over HTTP. */
export function databaseOf(clusterUrl: string, prefix: string, name: string): Database {
  const url = new URL(clusterUrl)
  url.pathname = `/${prefix}_${name}`
  return createDatabase({ connectionString: url.href, max: 1 })
}
