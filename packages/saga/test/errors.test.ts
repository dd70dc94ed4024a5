import assert from 'node:assert/strict'
import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { asError, isTransient, SagaError } from '../src/errors.ts'

const withCode = (code: string): Error => Object.assign(new Error('an error'), { code })

test('what passes by itself is transient', () => {
  const states = [
    '40001',
    '40P01',
    '40003',
    '55P03',
    '08000',
    '08006',
    '57P01',
    '57P02',
    '57P03',
    '53100',
    '53300',
    '58030',
    '25006',
  ]
  const codes = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'SAGA_FENCED']
  for (const code of [...states, ...codes]) assert.equal(isTransient(withCode(code)), true, code)
  for (const message of [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Client was closed and is not queryable',
  ])
    assert.equal(isTransient(new Error(message)), true, message)
})

test('bugs, bad data and refusals are not', () => {
  const codes = [
    '23505',
    '23502',
    '22P02',
    '22021',
    '42601',
    '42P01',
    '25P02',
    '28P01',
    '3D000',
    'ENOENT',
    'SAGA_EVENT_INVALID',
  ]
  for (const code of codes) assert.equal(isTransient(withCode(code)), false, code)
  for (const value of [new TypeError('x is not a function'), 'ECONNRESET', { code: 'ECONNRESET' }, null, undefined])
    assert.equal(isTransient(value), false)
  assert.equal(isTransient(new Error('the timeout expired long ago')), false)
})

test('an error is as transient as its cause', () => {
  assert.equal(isTransient(new Error('a', { cause: new Error('b', { cause: withCode('40P01') }) })), true)
  assert.equal(isTransient(new SagaError('SAGA_COMMIT_LOST', 'lost', { cause: withCode('23505') })), false)
})

test('a server that cannot be connected to is transient, whatever the reason', async () => {
  const errorOf = async (target: { path: string } | { port: number }): Promise<unknown> =>
    (await once(connect(target as { path: string }), 'error'))[0]
  // As with PostgreSQL on a Unix socket while it restarts.
  const missing = await errorOf({ path: '/nowhere/.s.PGSQL.5432' })
  assert.ok(missing instanceof Error && 'code' in missing)
  assert.equal(missing.code, 'ENOENT')
  assert.equal(isTransient(missing), true)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  assert.equal(isTransient(await errorOf({ port })), true)
})

test('anything thrown becomes an error that keeps it', () => {
  const error = new Error('itself')
  assert.equal(asError(error), error)
  assert.deepEqual([asError('text').message, asError('text').cause], ['text', 'text'])
  assert.equal(asError(undefined).message, 'undefined')
})

test('a SagaError tells its code, its partition and its cause', () => {
  const cause = new Error('why')
  const error = new SagaError('SAGA_OFFSET_OUT_OF_LOG', 'gone', { partition: 0, cause })
  assert.deepEqual(
    [error.name, error.code, error.partition, error.cause],
    ['SagaError', 'SAGA_OFFSET_OUT_OF_LOG', 0, cause],
  )
  assert.equal(new SagaError('SAGA_FENCED', 'x').partition, undefined)
})
