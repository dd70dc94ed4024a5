// Many clients of SSE streams in a process of their own, told what to do by messages: raw sockets that look at nothing but the ids.
import { connect, type Socket } from 'node:net'

export type ClientOrder =
  /** So many clients are open then, also those whose streams had ended, each from where it stopped: of one stream, `/0`, or of one each, `/0`, `/1`, … */
  | { do: 'open'; port: number; count: number; shared: boolean; by?: 'sse' | 'socket.io' }
  /** Answered when every client has this seq. */
  | { do: 'await'; seq: number }
  | { do: 'drop' }

/** Of all events so far: how many came, were skipped by a later one, and came again; and of the heartbeats how many came. */
export interface ClientReply {
  done: ClientOrder['do']
  received: number
  lost: number
  doubled: number
  beats: number
}

interface Client {
  path: string
  epoch: string
  seq: number
  rest: string
  socket: Socket | WebSocket | undefined
}

const CONNECTING = 256
// The space is the server's to choose, and data never begins a line with it.
const ID = /^id: ?([^-\n]*)-(\d+)$/m

const clients: Client[] = []
let received = 0
let lost = 0
let doubled = 0
let beats = 0
let awaited = Infinity
let behind = 0

process.on('message', (order: ClientOrder) => void obey(order))
process.on('disconnect', () => process.exit())

async function obey(order: ClientOrder): Promise<void> {
  if (order.do === 'open') await open(order)
  if (order.do === 'drop')
    for (const client of clients) client.socket = void (client.socket as Socket | undefined)?.destroy()
  if (order.do === 'await') {
    awaited = order.seq
    behind = clients.filter(({ seq }) => seq < awaited).length
    if (behind > 0) return
  }
  reply(order.do)
}

function reply(done: ClientOrder['do']): void {
  process.send?.({ done, received, lost, doubled, beats } satisfies ClientReply)
}

async function open({ port, count, shared, by = 'sse' }: Extract<ClientOrder, { do: 'open' }>): Promise<void> {
  for (let i = clients.length; i < count; i++)
    clients.push({ path: `/${shared ? 0 : i}`, epoch: '', seq: 0, rest: '', socket: undefined })
  const closed = clients.filter(({ socket }) => !socket)
  const openSome = async (): Promise<void> => {
    for (let client = closed.pop(); client; client = closed.pop())
      await (by === 'sse' ? openOne : openSocket)(client, port)
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
    // Whoever orders to open so many has this one opened again.
    socket.on('close', () => {
      if (client.socket === socket) client.socket = undefined
    })
  })
}

/** Resolves when Socket.IO has let the client in (Engine.IO 4: a digit for the kind of packet, and another one for Socket.IO's). */
function openSocket(client: Client, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
    client.socket = socket
    socket.onerror = () => reject(new Error('a socket broke'))
    socket.onmessage = ({ data }) => {
      const text = String(data)
      if (text.startsWith('0')) socket.send('40')
      else if (text.startsWith('40')) resolve()
      else if (text === '2') socket.send('3')
      else if (text.startsWith('42')) take(client, Number(JSON.parse(text.slice(2))[1]))
    }
  })
}

function read(client: Client, text: string): void {
  const blocks = (client.rest + text).split('\n\n')
  client.rest = blocks.pop()!
  for (const block of blocks) {
    if (block.startsWith('event: hb')) beats++
    const [, epoch, number] = ID.exec(block) ?? []
    if (epoch === undefined) continue
    client.epoch = epoch
    take(client, Number(number))
  }
}

function take(client: Client, seq: number): void {
  received++
  if (seq <= client.seq) doubled++
  else lost += seq - client.seq - 1
  if (client.seq < awaited && seq >= awaited && --behind === 0) reply('await')
  client.seq = Math.max(client.seq, seq)
}
