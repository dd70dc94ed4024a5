import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createHub, createMemoryLog, createMemoryTransport } from '@pando/saga'
import { until } from '../../../test/support/until.ts'
import { createSessionStreams } from '../src/session-streams.ts'

/** Two processes, and what each of them ends. */
function processes(t: TestContext) {
  const shared = createMemoryLog()
  return [0, 1].map(() => {
    const [hub, transport] = [createHub(), createMemoryTransport({ shared })]
    const ended: unknown[][] = []
    t.mock.method(hub, 'end', (...which: unknown[]) => void ended.push(which))
    return { ended, transport, streams: createSessionStreams({ hub, transport }) }
  })
}

test('what ends in one process ends in the other: a session, or all of a user', async (t) => {
  const [here, there] = processes(t)
  here!.streams.end('u', 's')
  here!.streams.end('v')
  await until('it is heard', () => there!.ended.length === 2)
  for (const { ended } of [here!, there!])
    assert.deepEqual(ended, [
      ['u', 's'],
      ['v', undefined],
    ])
})

test('other hints mean nothing, nor does any once it has stopped', async (t) => {
  const [here, there] = processes(t)
  here!.transport.hint('session-ended')
  here!.transport.hint('wake u:1')
  there!.streams.stop()
  here!.streams.end('u')
  let heard = 0
  there!.transport.onHint(() => void heard++)
  here!.transport.hint('the last')
  await until('all are delivered', () => heard === 1)
  assert.deepEqual(there!.ended, [])
})
