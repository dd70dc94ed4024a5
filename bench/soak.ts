// Streams for a long time, and the death of what holds them: 10,000 idle ones for minutes, and 8,000 of one instance that is killed.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fork } from 'node:child_process'
import type { ClientOrder, ClientReply } from '../test/support/sse-clients.ts'
import type { Row } from './row.ts'
import { answer, serve, start } from './sse.ts'
import type { ServerOrder } from './sse-server.ts'

/** Streams end after 8 to 12 minutes: `steadyMinutes` are those in which none has. */
const IDLE = { streams: 10_000, minutes: 10, settlingMinutes: 2, steadyMinutes: 7 }
const KILLED = { streams: 8_000, events: 5 }
const HEARTBEAT_S = 30

export async function soak(): Promise<Row[]> {
  return [...(await idle()), await killed()]
}

/** Nothing happens but heartbeats. Memory is looked at after a collection, so that what grows is what is held. */
async function idle(): Promise<Row[]> {
  const { streams, minutes, settlingMinutes, steadyMinutes } = IDLE
  await using bench = await start('hub, own streams')
  /** Whoever was on a stream that has ended comes back. */
  const pass = async (minutes: number): Promise<void> => {
    for (let second = 0; second < minutes * 60; second++) {
      await bench.open(streams)
      await sleep(1_000)
    }
  }
  const look = async () => {
    const { cpuUs } = await bench.ask('cost')
    const { beats } = await bench.clients({ do: 'await', seq: 0 })
    // What this costs by its collection is not theirs.
    const memory = await bench.ask('memory')
    return { beats, cpuUs, rssKb: memory.rssKb, open: memory.open, cpuUsAfter: memory.cpuUs }
  }
  await pass(settlingMinutes)
  const first = await look()
  const from = performance.now()
  let last = first
  let steady = first
  let cpuUs = 0
  for (let minute = 1; minute <= minutes - settlingMinutes; minute++) {
    await pass(1)
    const now = await look()
    cpuUs += now.cpuUs - last.cpuUsAfter
    last = now
    if (minute + settlingMinutes === steadyMinutes) steady = now
    console.error(`soak, minute ${minute + settlingMinutes}: ${JSON.stringify(last)}`)
  }
  const seconds = (performance.now() - from) / 1000
  const perMinute = (steady.rssKb - first.rssKb) / (steadyMinutes - settlingMinutes)
  const cpu = cpuUs / seconds / 10_000
  const due = (streams * seconds) / HEARTBEAT_S
  return [
    {
      what: `${streams.toLocaleString('en')} idle streams for ${minutes} minutes: memory, from ${settlingMinutes} to ${steadyMinutes}`,
      value: `${perMinute.toFixed(0)} KB a minute`,
      target: 'about 0',
      detail: `${mb(first.rssKb)}, then ${mb(steady.rssKb)}; ${mb(last.rssKb)} at the end, when streams are replaced by new ones`,
    },
    {
      what: 'their CPU, of one core',
      value: `${cpu.toFixed(1)} %`,
      target: '< 2 %',
      detail: `${(((last.beats - first.beats) / due) * 100).toFixed(0)} % of the heartbeats of a period of ${HEARTBEAT_S} s`,
    },
  ]
}

const mb = (kb: number): string => `${Math.round(kb / 1024)} MB`

/** Two instances have the same streams; one of them is killed, and all who were there come to the other one. */
async function killed(): Promise<Row> {
  const { streams, events } = KILLED
  const [one, other] = [serve('hub, own streams', streams), serve('hub, own streams', streams)]
  const clients = fork(new URL('../test/support/sse-clients.ts', import.meta.url))
  const publish = (): void => {
    for (const server of [one, other]) if (server.connected) server.send({ do: 'publish' } satisfies ServerOrder)
  }
  const order = (what: ClientOrder): Promise<ClientReply> => {
    clients.send(what)
    return answer<ClientReply>(clients)
  }
  const [{ port }, { port: otherPort }] = await Promise.all([
    answer<{ port: number }>(one),
    answer<{ port: number }>(other),
  ])
  try {
    await order({ do: 'open', port, count: streams, shared: false })
    for (let seq = 1; seq <= events; seq++) {
      publish()
      await order({ do: 'await', seq })
    }
    publish()
    const gone = once(one, 'exit')
    one.kill('SIGKILL')
    await gone
    const from = performance.now()
    await order({ do: 'drop' })
    for (let i = 0; i < events; i++) publish()
    await order({ do: 'open', port: otherPort, count: streams, shared: false })
    const { lost, doubled } = await order({ do: 'await', seq: 2 * events + 1 })
    return {
      what: `one of two instances killed with ${streams.toLocaleString('en')} streams: until all are live on the other`,
      value: `${((performance.now() - from) / 1000).toFixed(1)} s`,
      target: '≤ 15 s, 0 lost, 0 doubled',
      detail: `${lost} lost, ${doubled} doubled`,
    }
  } finally {
    for (const child of [clients, other]) {
      child.disconnect()
      await once(child, 'exit')
    }
  }
}
