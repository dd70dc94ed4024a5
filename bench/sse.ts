// SSE: memory and CPU per event of the hub beside a bare node:http server, in one run, each in a process of its own, and a storm of
// reconnecting clients. `node bench/sse.ts [streams]`
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientOrder, ClientReply } from '../test/support/sse-clients.ts'
import type { Sample, ServerOrder } from './sse-server.ts'

export interface Row {
  what: string
  value: string
  target?: string
  detail?: string
}

interface Options {
  /** Open streams; default 10,000. Server and clients need one file descriptor each a stream. */
  streams?: number
  /** Events to each stream; default 20. */
  events?: number
  /** How often each server is measured; default 3. The medians count. */
  repeats?: number
}

type Kind = 'bare' | 'hub, one stream' | 'hub, own streams'
const KINDS: readonly Kind[] = ['bare', 'hub, one stream', 'hub, own streams']

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
      await using bench = await start(kind)
      measures.get(kind)!.push(await measure(bench, streams, events))
      if (kind === 'hub, own streams') storms.push(await storm(bench, streams, events))
    }
  return rowsOf(measures, storms, streams * events)
}

async function measure(bench: Bench, streams: number, events: number): Promise<Measure> {
  const shared = bench.kind !== 'hub, own streams'
  // What a process grows by once, however many streams it has, is not theirs.
  const some = Math.ceil(streams / 10)
  await bench.clients({ do: 'open', port: bench.port, count: some, shared })
  const few = await bench.ask('memory')
  const from = performance.now()
  await bench.clients({ do: 'open', port: bench.port, count: streams, shared })
  const openMs = performance.now() - from
  const idle = await bench.ask('memory')
  // One event goes first, so that nothing is measured that runs for the first time.
  const first = await deliver(bench, 1)
  const before = await bench.ask('cost')
  let last = first
  for (let seq = 2; seq <= events + 1; seq++) last = await deliver(bench, seq)
  const after = await bench.ask('cost')
  const delivered = last.received - first.received
  return {
    kbPerStream: (idle.rssKb - few.rssKb) / (streams - some),
    usPerEvent: (after.cpuUs - before.cpuUs) / delivered,
    delivered,
    opensPerSecond: ((streams - some) / openMs) * 1000,
  }
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
  await bench.clients({ do: 'open', port: bench.port, count: streams, shared: false })
  const { lost, doubled } = await deliver(bench, events + AWAY + 2)
  return { seconds: (performance.now() - from) / 1000, lost, doubled }
}

interface Bench extends AsyncDisposable {
  kind: Kind
  port: number
  publish(): void
  ask(order: 'memory' | 'cost'): Promise<Sample>
  clients(order: ClientOrder): Promise<ClientReply>
}

async function start(kind: Kind): Promise<Bench> {
  const server = fork(new URL('./sse-server.ts', import.meta.url), [kind === 'bare' ? 'bare' : 'hub'], {
    execArgv: ['--expose-gc'],
  })
  const clients = fork(new URL('../test/support/sse-clients.ts', import.meta.url))
  const { port } = await answer<{ port: number }>(server)
  const tell = (order: ServerOrder): void => void server.send(order)
  return {
    kind,
    port,
    publish: () => tell({ do: 'publish' }),
    ask(order) {
      tell({ do: order })
      return answer<Sample>(server)
    },
    clients(order) {
      clients.send(order)
      return answer<ClientReply>(clients)
    },
    async [Symbol.asyncDispose]() {
      for (const child of [clients, server]) {
        child.disconnect()
        await once(child, 'exit')
      }
    },
  }
}

/** The next message of a child; rejects when it ends instead. */
function answer<T>(child: ChildProcess): Promise<T> {
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
  const of = (kind: Kind, key: keyof Measure): number => median(measures.get(kind)!.map((measured) => measured[key]))
  const bare = { kb: of('bare', 'kbPerStream'), us: of('bare', 'usPerEvent') }
  const rows = KINDS.flatMap((kind): Row[] => {
    const kb = of(kind, 'kbPerStream')
    const us = of(kind, 'usPerEvent')
    const all = measures.get(kind)!.every(({ delivered }) => delivered === expected)
    const isBare = kind === 'bare'
    return [
      {
        what: `memory per idle stream: ${kind}`,
        value: `${kb.toFixed(1)} KB`,
        ...(!isBare && { target: '≤ 12 KB', detail: `${(kb / bare.kb).toFixed(2)} × bare` }),
      },
      {
        what: `server CPU per delivered event: ${kind}`,
        value: `${us.toFixed(1)} µs`,
        ...(!isBare && { target: '≤ 1.15 × bare' }),
        detail: `${isBare ? '' : `${(us / bare.us).toFixed(2)} × bare, `}${all ? `all ${expected} delivered` : 'NOT ALL DELIVERED'}, ${of(kind, 'opensPerSecond').toFixed(0)} opened/s`,
      },
    ]
  })
  const worst = storms.reduce((a, b) => ({
    seconds: Math.max(a.seconds, b.seconds),
    lost: a.lost + b.lost,
    doubled: a.doubled + b.doubled,
  }))
  rows.push({
    what: 'reconnect storm: until all are live again',
    value: `${median(storms.map(({ seconds }) => seconds)).toFixed(1)} s`,
    target: '≤ 15 s, 0 lost, 0 doubled',
    detail: `worst ${worst.seconds.toFixed(1)} s, ${worst.lost} lost, ${worst.doubled} doubled`,
  })
  return rows
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

if (import.meta.main) console.table(await run({ streams: Number(process.argv[2] ?? 10_000) }))
