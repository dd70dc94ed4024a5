import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { createHub, createMemoryLog, createMemoryTransport, type MemoryLog } from '@pando/saga'
import type { EventStream } from '../../../test/support/client.ts'
import { serveStreams } from '../../../test/support/open-streams.ts'
import { createEphemeral, type Ephemeral } from '../src/ephemeral.ts'

interface Process {
  ephemeral: Ephemeral
  /** Opens the user's stream in this process; resolves once it hears. */
  open(userId: string): Promise<EventStream>
}

async function startProcess(t: TestContext, shared: MemoryLog): Promise<Process> {
  const hub = createHub()
  const transport = createMemoryTransport({ shared })
  const ephemeral = createEphemeral({ hub, transport })
  t.after(async () => {
    ephemeral.stop()
    await hub.stop()
    await transport.close()
  })
  return { ephemeral, open: await serveStreams(t, hub) }
}

const heard = (stream: EventStream, count: number): Promise<EventStream> =>
  stream.until(`${count} events`, ({ events }) => events.length >= count)
const said = ({ events }: EventStream) => events.map(({ event, id, data }) => [event, id, JSON.parse(data)])

test('an event comes to the open streams of the users it is for, in every process, once and without an id', async (t) => {
  const shared = createMemoryLog()
  const [one, two, three] = [
    await startProcess(t, shared),
    await startProcess(t, shared),
    await startProcess(t, shared),
  ] as const
  const [anna, ben, carl] = [randomUUID(), randomUUID(), randomUUID()] as const
  const streams = await Promise.all([one.open(anna), two.open(anna), two.open(ben), three.open(ben), two.open(carl)])
  const data = { roomId: randomUUID(), text: '안녕 "a b"\n' }
  one.ephemeral.send([anna, ben], 'typing', data)
  // Hints of one process come in order: who has this one has missed nothing before it.
  one.ephemeral.send([anna, ben, carl], 'presence', { online: true })
  await Promise.all(streams.map((stream, i) => heard(stream, i === 4 ? 1 : 2)))
  for (const [i, stream] of streams.entries())
    assert.deepEqual(said(stream), [
      ...(i === 4 ? [] : [['typing', undefined, data]]),
      ['presence', undefined, { online: true }],
    ])
})

test('many users are told by several hints, each short enough for every transport', async (t) => {
  const shared = createMemoryLog()
  const [one, two] = [await startProcess(t, shared), await startProcess(t, shared)] as const
  const users = Array.from({ length: 299 }, () => randomUUID())
  const hints: string[] = []
  const spy = createMemoryTransport({ shared })
  t.after(() => spy.close())
  spy.onHint((text) => void hints.push(text))
  const streams = await Promise.all([users[0]!, users[150]!, users[298]!].map((userId) => two.open(userId)))
  one.ephemeral.send(users, 'typing', { text: '몬스테라'.repeat(100) })
  await Promise.all(streams.map((stream) => heard(stream, 1)))
  assert.ok(hints.length > 1)
  assert.ok(hints.every((text) => Buffer.byteLength(text) <= 3_500 && !text.includes('\n')))
  assert.deepEqual(
    hints.flatMap((text) => text.split(' ')[2]!.split(',')),
    users,
  )
})

test('what is too long for a hint is refused as a whole, and nobody hears of it', async (t) => {
  const { ephemeral, open } = await startProcess(t, createMemoryLog())
  const [anna] = [randomUUID()] as const
  const stream = await open(anna)
  assert.throws(() => ephemeral.send([anna], 'typing', { text: 'x'.repeat(3_500) }), RangeError)
  assert.throws(() => ephemeral.send([anna], 'a b', {}), RangeError)
  ephemeral.send([anna], 'typing', {})
  assert.deepEqual(said(await heard(stream, 1)), [['typing', undefined, {}]])
})

test('after stop nothing is heard of other processes; stop may be called twice', async (t) => {
  const shared = createMemoryLog()
  const [one, two] = [await startProcess(t, shared), await startProcess(t, shared)] as const
  const anna = randomUUID()
  const stream = await two.open(anna)
  two.ephemeral.stop()
  two.ephemeral.stop()
  one.ephemeral.send([anna], 'typing', { from: 'another' })
  await new Promise(setImmediate)
  two.ephemeral.send([anna], 'typing', { from: 'here' })
  assert.deepEqual(said(await heard(stream, 1)), [['typing', undefined, { from: 'here' }]])
})
