// Many clients of SSE streams in a process of their own, told what to do by messages: raw sockets that look at nothing but the ids.
import { connect, type Socket } from 'node:net'

export type ClientOrder =
  /** So many clients are open then, each from where it stopped: of one stream, `/0`, or of one each, `/0`, `/1`, … */
  | { do: 'open'; port: number; count: number; shared: boolean }
  /** Answered when every client has this seq. */
  | { do: 'await'; seq: number }
  | { do: 'drop' }

/** Of all events so far: how many came, were skipped by a later one, and came again. */
export interface ClientReply {
  done: ClientOrder['do']
  received: number
  lost: number
  doubled: number
}

interface Client {
  path: string
  epoch: string
  seq: number
  rest: string
  socket: Socket | undefined
}

const CONNECTING = 256

const clients: Client[] = []
let received = 0
let lost = 0
let doubled = 0
let awaited = Infinity
let behind = 0

process.on('message', (order: ClientOrder) => void obey(order))
process.on('disconnect', () => process.exit())

async function obey(order: ClientOrder): Promise<void> {
  if (order.do === 'open') await open(order)
  if (order.do === 'drop') for (const client of clients) client.socket = void client.socket?.destroy()
  if (order.do === 'await') {
    awaited = order.seq
    behind = clients.filter(({ seq }) => seq < awaited).length
    if (behind > 0) return
  }
  reply(order.do)
}

function reply(done: ClientOrder['do']): void {
  process.send?.({ done, received, lost, doubled } satisfies ClientReply)
}

async function open({ port, count, shared }: Extract<ClientOrder, { do: 'open' }>): Promise<void> {
  for (let i = clients.length; i < count; i++)
    clients.push({ path: `/${shared ? 0 : i}`, epoch: '', seq: 0, rest: '', socket: undefined })
  const closed = clients.filter(({ socket }) => !socket)
  const openSome = async (): Promise<void> => {
    for (let client = closed.pop(); client; client = closed.pop()) await openOne(client, port)
  }
  await Promise.all(Array.from({ length: CONNECTING }, openSome))
}

/** Resolves with the first bytes of the answer. */
function openOne(client: Client, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    client.socket = socket
    client.rest = ''
    const from = client.seq > 0 ? `last-event-id: ${client.epoch}-${client.seq}\r\n` : ''
    socket.write(`GET ${client.path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n${from}\r\n`)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      resolve()
      read(client, text)
    })
    socket.on('error', reject)
  })
}

function read(client: Client, text: string): void {
  const blocks = (client.rest + text).split('\n\n')
  client.rest = blocks.pop()!
  for (const block of blocks) {
    const at = block.indexOf('id: ')
    if (at < 0) continue
    const [epoch = '', number = ''] = block.slice(at + 4, block.indexOf('\n', at)).split('-')
    const seq = Number(number)
    client.epoch = epoch
    received++
    if (seq <= client.seq) doubled++
    else lost += seq - client.seq - 1
    if (client.seq < awaited && seq >= awaited && --behind === 0) reply('await')
    client.seq = Math.max(client.seq, seq)
  }
}
