import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { kafkaBrokers } from './kafka.ts'

test('the run has brokers, and without them it is said', async () => {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: kafkaBrokers().split(',') })
  try {
    assert.ok((await admin.metadata({})).brokers.size > 0)
  } finally {
    await admin.close()
  }

  delete process.env.TEST_KAFKA_BROKERS
  assert.throws(kafkaBrokers, /^Error: TEST_KAFKA_BROKERS is not set/)
})
