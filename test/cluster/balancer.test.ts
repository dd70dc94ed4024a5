// The balancer in front of servers that are made up.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startBalancer } from '../../tools/balancer.ts'
import { Client } from '../support/client.ts'
import { until } from '../support/until.ts'

/** A server that is ready as long as `state.isReady`, and answers anything else with its name. */
async function serve(t: TestContext, name: string, answer?: RequestListener) {
  const state = { isReady: true, asked: 0 }
  const server = createServer((request, response) => {
    if (request.url === '/api/health/ready') return response.writeHead(state.isReady ? 200 : 503).end()
    state.asked++
    if (answer) answer(request, response)
    // A connection for each request, so that each is balanced.
    else response.writeHead(200, { connection: 'close' }).end(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const end = (): void => {
    server.close()
    server.closeAllConnections()
  }
  t.after(end)
  return { state, end, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) }
}

async function balance(t: TestContext, servers: Record<string, { url: URL }>) {
  const balancer = await startBalancer()
  t.after(() => balancer.stop())
  for (const [name, { url }] of Object.entries(servers)) balancer.place(name, url)
  const client = new Client(`http://127.0.0.1:${balancer.port}`)
  const answers = async (count: number): Promise<string> => {
    const names = []
    for (let i = 0; i < count; i++) names.push((await client.get('/')).text)
    return [...new Set(names)].toSorted().join()
  }
  return { balancer, client, answers }
}

test('connections go to each in turn, to none that is not ready, and back when it is', async (t) => {
  const [a, b] = [await serve(t, 'a'), await serve(t, 'b')]
  const { balancer, answers } = await balance(t, { a, b })
  await Promise.all([balancer.ready('a'), balancer.ready('b')])
  assert.equal(await answers(4), 'a,b')
  a.state.isReady = false
  await until('a to be left alone', async () => (await answers(4)) === 'b')
  a.state.isReady = true
  await balancer.ready('a')
  await until('both', async () => (await answers(4)) === 'a,b')
})

test('one that refuses is passed over at once, before anybody found out that it is gone', async (t) => {
  const [a, b] = [await serve(t, 'a'), await serve(t, 'b')]
  const { balancer, answers } = await balance(t, { a, b })
  await Promise.all([balancer.ready('a'), balancer.ready('b')])
  a.end()
  assert.equal(await answers(6), 'b')
  balancer.place('a', undefined)
  assert.equal(await answers(2), 'b')
})

test('when none is ready, whoever is there answers; when nobody is there, the connection is closed', async (t) => {
  const a = await serve(t, 'a')
  a.state.isReady = false
  const { balancer, answers } = await balance(t, { a })
  assert.equal(await answers(1), 'a')
  balancer.place('a', undefined)
  await assert.rejects(answers(1), { code: 'ECONNRESET' })
})

test('a stream passes as it comes, is never sent twice, and ends on one side when it ends on the other', async (t) => {
  const ended: boolean[] = []
  const streaming: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
    response.on('close', () => ended.push(response.writableEnded))
  }
  const [a, b] = [await serve(t, 'a', streaming), await serve(t, 'b', streaming)]
  const { balancer, client } = await balance(t, { a, b })
  await Promise.all([balancer.ready('a'), balancer.ready('b')])
  const first = await client.stream('/')
  await first.until('its first event', ({ events }) => events.length === 1)
  first.close()
  await until('the end at the server', () => ended.length === 1)

  const second = await client.stream('/')
  await second.until('its first event', ({ events }) => events.length === 1)
  a.end()
  b.end()
  await second.ended()
  assert.equal(second.isWhole, false)
  assert.equal(a.state.asked + b.state.asked, 2)
})

test('what a client does not read waits at the server, and is not kept in memory', async (t) => {
  let written = 0
  const chunk = Buffer.alloc(1 << 16)
  const flood: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const write = (): void => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length
      written += chunk.length
    }
    response.on('drain', write)
    write()
  }
  const a = await serve(t, 'a', flood)
  const { balancer } = await balance(t, { a })
  await balancer.ready('a')
  const socket = connect(balancer.port, '127.0.0.1').pause()
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  let before = -1
  await until('nothing more to be written', async () => {
    const stands = written > 0 && written === before
    before = written
    await pause(200)
    return stands && written === before
  })
  assert.ok(written < 64 << 20, `${written} bytes are on their way`)
})
