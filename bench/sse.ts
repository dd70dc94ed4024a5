// SSE: memory and CPU per event of the hub beside a bare node:http server, better-sse and Socket.IO, in one run, each in a process of its
// own, and a storm of reconnecting clients. `node bench/sse.ts [streams]`
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientOrder, ClientReply } from '../test/support/sse-clients.ts'
import { median, type Row, runs } from './row.ts'
import type { Sample, ServerOrder } from './sse-server.ts'

interface Options {
  /** Open streams; default 10,000. Server and clients need one file descriptor each a stream. */
  streams?: number
  /** Events to each stream; default 20. */
  events?: number
  /** How often each server is measured; default 3. The medians count. */
  repeats?: number
}

const SERVER_OF = {
  bare: 'bare',
  'hub, one stream': 'hub',
  'hub, own streams': 'hub',
  'better-sse': 'better-sse',
  'Socket.IO': 'socket.io',
} as const
type Kind = keyof typeof SERVER_OF
const KINDS = Object.keys(SERVER_OF) as Kind[]
const isOurs = (kind: Kind): boolean => SERVER_OF[kind] === 'hub'

interface Measure {
  kbPerStream: number
  usPerEvent: number
  delivered: number
  opensPerSecond: number
}

interface Storm {
  seconds: number
  lost: number
  doubled: number
}

/** Runs the servers in turn, `repeats` times, and returns what a table of results shows. */
export async function run({ streams = 10_000, events = 20, repeats = 3 }: Options = {}): Promise<Row[]> {
  const measures = new Map<Kind, Measure[]>(KINDS.map((kind) => [kind, []]))
  const storms: Storm[] = []
  for (let i = 0; i < repeats; i++)
    for (const kind of KINDS) {
      const kbPerStream = await measureMemory(kind, streams)
      await using bench = await start(kind)
      measures.get(kind)!.push({ kbPerStream, ...(await measureCost(bench, streams, events)) })
      if (kind === 'hub, own streams') storms.push(await storm(bench, streams, events))
    }
  return rowsOf(measures, storms, streams * events)
}

/** What each stream adds, beyond the first tenth of them, to a process that keeps little room for new objects. */
async function measureMemory(kind: Kind, streams: number): Promise<number> {
  await using bench = await start(kind, ['--max-semi-space-size=1'])
  const some = Math.ceil(streams / 10)
  await bench.open(some)
  const few = await bench.ask('memory')
  await bench.open(streams)
  const idle = await bench.ask('memory')
  return (idle.rssKb - few.rssKb) / (streams - some)
}

async function measureCost(bench: Bench, streams: number, events: number): Promise<Omit<Measure, 'kbPerStream'>> {
  const from = performance.now()
  await bench.open(streams)
  const opensPerSecond = (streams / (performance.now() - from)) * 1000
  // One event goes first, so that nothing is measured that runs for the first time.
  const first = await deliver(bench, 1)
  const before = await bench.ask('cost')
  let last = first
  for (let seq = 2; seq <= events + 1; seq++) last = await deliver(bench, seq)
  const after = await bench.ask('cost')
  const delivered = last.received - first.received
  return { usPerEvent: (after.cpuUs - before.cpuUs) / delivered, delivered, opensPerSecond }
}

/** One event to each stream; resolves when all have it. */
function deliver(bench: Bench, seq: number): Promise<ClientReply> {
  bench.publish()
  return bench.clients({ do: 'await', seq })
}

const AWAY = 5

/** All clients vanish, miss some events, and come back at once with their cursors. */
async function storm(bench: Bench, streams: number, events: number): Promise<Storm> {
  await bench.clients({ do: 'drop' })
  while ((await bench.ask('cost')).open > 0) await sleep(50)
  for (let i = 0; i < AWAY; i++) bench.publish()
  const from = performance.now()
  await bench.open(streams)
  const { lost, doubled } = await deliver(bench, events + AWAY + 2)
  return { seconds: (performance.now() - from) / 1000, lost, doubled }
}

export interface Bench extends AsyncDisposable {
  publish(): void
  /** Resolves when so many clients are open. */
  open(count: number): Promise<unknown>
  ask(order: 'memory' | 'cost'): Promise<Sample>
  clients(order: ClientOrder): Promise<ClientReply>
}

/** The process of a server. */
export const serve = (kind: Kind, streams = 0, flags: readonly string[] = []): ChildProcess =>
  fork(new URL('./sse-server.ts', import.meta.url), [SERVER_OF[kind], String(streams)], {
    execArgv: ['--expose-gc', ...flags],
  })

export async function start(kind: Kind, flags: readonly string[] = []): Promise<Bench> {
  const server = serve(kind, 0, flags)
  const clients = fork(new URL('../test/support/sse-clients.ts', import.meta.url))
  const { port } = await answer<{ port: number }>(server)
  const tell = (order: ServerOrder): void => void server.send(order)
  const order = (what: ClientOrder): Promise<ClientReply> => {
    clients.send(what)
    return answer<ClientReply>(clients)
  }
  return {
    publish: () => tell({ do: 'publish' }),
    open: (count) =>
      order({
        do: 'open',
        port,
        count,
        shared: kind !== 'hub, own streams',
        by: kind === 'Socket.IO' ? 'socket.io' : 'sse',
      }),
    ask(order) {
      tell({ do: order })
      return answer<Sample>(server)
    },
    clients: order,
    async [Symbol.asyncDispose]() {
      for (const child of [clients, server]) {
        child.disconnect()
        await once(child, 'exit')
      }
    },
  }
}

/** The next message of a child; rejects when it ends instead. */
export function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as T)
    })
  })
}

function rowsOf(measures: Map<Kind, Measure[]>, storms: Storm[], expected: number): Row[] {
  const of = (kind: Kind, key: keyof Measure): number[] => measures.get(kind)!.map((measured) => measured[key])
  const rows = KINDS.flatMap((kind): Row[] => {
    const compare = (key: keyof Measure): string => {
      const ratio = median(of(kind, key)) / median(of('bare', key))
      return `${kind === 'bare' ? '' : `${ratio.toFixed(2)} × bare; `}runs ${runs(of(kind, key), 1)}`
    }
    const missing = of(kind, 'delivered').reduce((sum, delivered) => sum + expected - delivered, 0)
    const opened = `${Math.round(median(of(kind, 'opensPerSecond')))} opened/s`
    return [
      {
        what: `memory per idle stream: ${kind}`,
        value: `${median(of(kind, 'kbPerStream')).toFixed(1)} KB`,
        ...(isOurs(kind) && { target: '≤ 12 KB' }),
        detail: compare('kbPerStream'),
      },
      {
        what: `server CPU per delivered event: ${kind}`,
        value: `${median(of(kind, 'usPerEvent')).toFixed(1)} µs`,
        ...(isOurs(kind) && { target: '≤ 1.15 × bare' }),
        detail: `${compare('usPerEvent')}; ${missing} of ${expected} missing; ${opened}`,
      },
    ]
  })
  const sum = (key: 'lost' | 'doubled'): number => storms.reduce((total, storm) => total + storm[key], 0)
  const seconds = storms.map((storm) => storm.seconds)
  rows.push({
    what: 'reconnect storm: until all are live again',
    value: `${median(seconds).toFixed(1)} s`,
    target: '≤ 15 s, 0 lost, 0 doubled',
    detail: `runs ${runs(seconds, 1)}; ${sum('lost')} lost, ${sum('doubled')} doubled`,
  })
  return rows
}

if (import.meta.main) console.table(await run({ streams: Number(process.argv[2] ?? 10_000) }))
