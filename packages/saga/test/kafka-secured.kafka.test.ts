import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { after, test, type TestContext } from 'node:test'
import { noOwnKafka } from '../../../test/support/kafka.ts'
import { type SecuredKafka, securedKafka } from '../../../test/support/secured-kafka.ts'
import { isTransient } from '../src/errors.ts'
import { createKafkaTransport, type KafkaConnection } from '../src/kafka.ts'
import type { Transport } from '../src/transport.ts'

const kafka = noOwnKafka ? undefined : await securedKafka({ after })

async function open(t: TestContext, change: (of: SecuredKafka) => Partial<KafkaConnection>): Promise<Transport> {
  const { brokers, ca } = kafka!
  const connection = { brokers: [brokers], tls: { ca }, ...change(kafka!) }
  const transport = await createKafkaTransport({ connection, prefix: `test-${randomUUID()}` })
  t.after(() => transport.close())
  return transport
}

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
  test(`encrypted, and logged in by ${mechanism}, it is a log`, { skip: noOwnKafka }, async (t) => {
    const transport = await open(t, ({ username, password }) => ({ sasl: { mechanism, username, password } }))
    await transport.ensureTopics(['post'], 1)
    const record = { id: randomUUIDv7(), topic: 'post', key: 'a key', type: 'post.made', body: '{}' }
    await transport.publish([record])
    const [found] = await transport.reader().poll([{ topic: 'post', partition: 0, next: 0 }], 10, 10_000)
    assert.equal(found?.id, record.id)
  })

  test(
    `with a wrong password for ${mechanism} there is no log, and the password is not told`,
    { skip: noOwnKafka },
    async (t) => {
      const password = 'not the password'
      await assert.rejects(
        open(t, ({ username }) => ({ sasl: { mechanism, username, password } })),
        (error) => {
          assert.ok(error instanceof Error && isTransient(error))
          assert.match(error.message, /authenticat/i)
          assert.ok(!JSON.stringify([error.message, error.stack]).includes(password))
          return true
        },
      )
    },
  )
}

test('a certificate of an authority that nobody named is refused', { skip: noOwnKafka }, async (t) => {
  await assert.rejects(
    open(t, ({ username, password }) => ({ tls: {}, sasl: { mechanism: 'PLAIN', username, password } })),
    /self.signed certificate|unable to verify/,
  )
})

test('without encryption it is not spoken to', { skip: noOwnKafka }, async (t) => {
  await assert.rejects(
    open(t, ({ username, password }) => ({ tls: undefined, sasl: { mechanism: 'PLAIN', username, password } })),
    (error) => error instanceof Error && isTransient(error),
  )
})
