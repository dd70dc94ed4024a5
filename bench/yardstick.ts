import { createDatabase } from '@pando/saga'
import { hash } from '@node-rs/argon2'
import { availableParallelism } from 'node:os'
import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { median, ms, rate, type Row } from './row.ts'

// What this machine does at this moment, whatever our code does: to be quoted with every figure.

/** Single statements on the cluster, a round trip on loopback, hashing on all cores. */
export async function yardstick(clusterUrl: string): Promise<Row[]> {
  const db = createDatabase({ connectionString: clusterUrl, max: 1 })
  await db.query('create table if not exists bench_yardstick (n int)')
  const commits = await timed(300, () => db.query('insert into bench_yardstick values (1)'))
  const selects = await timed(1000, () => db.query('select 1'))
  await db.query('drop table bench_yardstick')
  await db.close()
  return [
    { what: 'yardstick: one insert with fsync', value: ms(median(commits)), detail: 'median of 300' },
    { what: 'yardstick: `select 1`', value: `${median(selects).toFixed(3)} ms`, detail: 'median of 1,000' },
    {
      what: 'yardstick: echo over loopback',
      value: `${((await echo()) * 1000).toFixed(0)} µs`,
      detail: 'mean of 10,000',
    },
  ]
}

/** argon2id hashes a second with all cores at the given cost. */
export async function hashRate(memoryKib: number, passes: number, count: number): Promise<number> {
  const from = performance.now()
  let left = count
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      while (left-- > 0)
        await hash('a password of some length', {
          algorithm: 2,
          memoryCost: memoryKib,
          timeCost: passes,
          parallelism: 1,
        })
    }),
  )
  return count / ((performance.now() - from) / 1000)
}

export const hashRow = (perSecond: number, cost: string): Row => ({
  what: `yardstick: argon2id alone, ${cost}`,
  value: rate(perSecond),
})

async function timed(count: number, fn: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await fn()
    times.push(performance.now() - from)
  }
  return times
}

async function echo(): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  const from = performance.now()
  for (let i = 0; i < 10_000; i++) {
    socket.write('x')
    await once(socket, 'data')
  }
  socket.destroy()
  server.close()
  return (performance.now() - from) / 10_000
}
