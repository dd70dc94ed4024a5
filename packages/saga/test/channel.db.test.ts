import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Channel, createChannel } from '../src/channel.ts'
import { createDatabase } from '../src/database.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

/** `count` open channels on one database, with all that each has heard. */
async function setUp(t: TestContext, count: number) {
  const admin = await testDatabase(t)
  const errors: Error[] = []
  const db = createDatabase({ connectionString: admin.url, applicationName: 'channels', onError: () => {} })
  const heard = Array.from({ length: count }, () => [] as string[])
  const channels = heard.map((texts) =>
    createChannel({
      db,
      name: 'news',
      onTexts(some) {
        texts.push(...some)
        if (some.includes('break')) throw new Error('the listener is broken')
      },
      onError: (error) => errors.push(error),
    }),
  ) as [Channel, ...Channel[]]
  t.after(async () => {
    await Promise.all(channels.map((channel) => channel.close()))
    await db.close()
  })
  for (const channel of channels) await channel.open()
  const cut = (): Promise<unknown> =>
    admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'channels'`)
  return { channels, heard, errors, cut }
}
const arrival = (heard: readonly string[], text: string): Promise<unknown> =>
  until(`${text} is heard`, () => heard.includes(text))

test('all others hear all texts in order, the sender none, whatever their number', async (t) => {
  const { channels, heard, errors } = await setUp(t, 3)
  const texts = Array.from({ length: 5_000 }, (_, i) => `text ${i} žába`)
  for (const text of texts) channels[0].send(text)
  await arrival(heard[1]!, texts.at(-1)!)
  await arrival(heard[2]!, texts.at(-1)!)
  assert.deepEqual(heard, [[], texts, texts])
  assert.deepEqual(errors, [])
})

test('texts up to the limit pass, a longer one is told of and hurts no other', async (t) => {
  const { channels, heard, errors } = await setUp(t, 2)
  const large = ['ž'.repeat(3_499), 'x'.repeat(6_999), 'ž'.repeat(3_000)]
  channels[0].send('first')
  for (const text of large) channels[0].send(text)
  channels[0].send('x'.repeat(7_000))
  channels[0].send('last')
  await arrival(heard[1]!, 'last')
  assert.deepEqual(heard[1], ['first', ...large, 'last'])
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['a hint is too long for a notification; it is lost'],
  )
})

test('a listener that throws is told of, and hears what comes later', async (t) => {
  const { channels, heard, errors } = await setUp(t, 2)
  channels[0].send('break')
  await arrival(heard[1]!, 'break')
  channels[0].send('later')
  await arrival(heard[1]!, 'later')
  assert.equal(errors[0]?.message, 'the listener is broken')
})

test('a connection that is cut can be opened again; meanwhile texts are lost, and nothing throws', async (t) => {
  const { channels, heard, cut } = await setUp(t, 2)
  await cut()
  for (let i = 0; i < 100; i++) channels[0].send('lost or not')
  await until('a text is heard again', async () => {
    await Promise.all(channels.map((channel) => channel.open()))
    channels[0].send('heard')
    return heard[1]!.includes('heard')
  })
})

test('closed is closed: nothing is heard, and sending does nothing', async (t) => {
  const { channels, heard } = await setUp(t, 3)
  await channels[1]!.close()
  channels[1]!.send('from the closed one')
  channels[0].send('to the open one')
  await arrival(heard[2]!, 'to the open one')
  assert.deepEqual(heard[1], [])
  assert.ok(!heard[0]!.includes('from the closed one'))
})
