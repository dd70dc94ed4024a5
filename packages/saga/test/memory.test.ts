import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { test } from 'node:test'
import { transportConformance } from '../src/conformance.ts'
import { isTransient } from '../src/errors.ts'
import { createMemoryLog, createMemoryTransport, type Faults } from '../src/memory.ts'
import type { LogRecord } from '../src/transport.ts'

transportConformance({
  name: 'memory',
  async open() {
    const shared = createMemoryLog()
    const transport = createMemoryTransport({ shared })
    return { transport, another: async () => createMemoryTransport({ shared }), close: () => transport.close() }
  },
})

const record = (body: string): LogRecord => ({
  id: randomUUIDv7(),
  topic: 'plant',
  key: 'fern',
  type: 'plant.changed',
  body,
})
async function setUp(faults: Faults) {
  const shared = createMemoryLog()
  const transport = createMemoryTransport({ faults, shared })
  await transport.ensureTopics(['plant'], 1)
  const bodies = async (next = 0): Promise<string[]> =>
    (await transport.reader().poll([{ topic: 'plant', partition: 0, next }], 100, 0)).map(({ body }) => body)
  return { shared, transport, bodies }
}

test('a record can be written twice, with the same id at two offsets', async () => {
  const { transport, bodies } = await setUp({ repeat: ({ body }) => body === '2' })
  await transport.publish(['1', '2', '3'].map(record))
  assert.deepEqual(await bodies(), ['1', '2', '2', '3'])
})

test('a publish can fail before it wrote anything, and after it wrote all', async () => {
  const failures = ['before', 'after', undefined] as const
  let i = 0
  const { transport, bodies } = await setUp({ fail: () => failures[i++] })
  for (const expected of [[], ['2']]) {
    await assert.rejects(transport.publish([record(String(i + 1))]), (error) => isTransient(error))
    assert.deepEqual(await bodies(), expected)
  }
  await transport.publish([record('3')])
  assert.deepEqual(await bodies(), ['2', '3'])
})

test('a poll can be shown less than there is', async () => {
  let visible = 0
  const { transport, bodies } = await setUp({ visible: () => visible })
  await transport.publish(['1', '2', '3'].map(record))
  assert.deepEqual(await bodies(), [])
  visible = 2
  assert.deepEqual(await bodies(), ['1', '2'])
  assert.deepEqual(await bodies(1), ['2', '3'])
})

test('a hint can be lost; publishing wakes readers all the same', async () => {
  let lost = true
  const { shared, transport } = await setUp({ loseHint: () => lost })
  const other = createMemoryTransport({ shared })
  const heard: string[] = []
  other.onHint((text) => heard.push(text))
  const polling = other.reader().poll([{ topic: 'plant', partition: 0, next: 0 }], 10, 60_000)
  transport.hint('lost')
  lost = false
  transport.hint('heard')
  await transport.publish([record('1')])
  assert.equal((await polling).length, 1)
  assert.deepEqual(heard, ['heard'])
})

test('a topic that was not ensured is neither written nor read', async () => {
  const { transport } = await setUp({})
  await assert.rejects(transport.publish([{ ...record('1'), topic: 'other' }]), { code: 'SAGA_DEFINITION' })
  await assert.rejects(transport.reader().poll([{ topic: 'other', partition: 0, next: 0 }], 10, 0), {
    code: 'SAGA_DEFINITION',
  })
})
