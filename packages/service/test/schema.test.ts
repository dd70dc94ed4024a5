import assert from 'node:assert/strict'
import test from 'node:test'
import { Type } from 'typebox'
import { isUuid, ListQuery, listOf, nullable, problems, Time, Uuid } from '../src/schema.ts'
import { assertProblem, testApp } from './app.ts'

const ID = '019a0000-0000-7000-8000-00000000beef'

test('ids are lower-case UUIDs and nothing around them', () => {
  assert.ok(isUuid(ID))
  for (const text of ['', '1', ID.toUpperCase(), `urn:uuid:${ID}`, `${ID}\n`, `{${ID}}`])
    assert.equal(isUuid(text), false, text)
})

test('problems of one status share an entry', () => {
  const documented = problems('username_taken', 'email_taken', 'not_found')
  assert.deepEqual(
    Object.entries(documented).map(([status, { description }]) => [status, description]),
    [
      ['404', 'not_found'],
      ['409', 'username_taken, email_taken'],
    ],
  )
})

test('a list: what a schema does not name never leaves, null and times stay what they are', async (t) => {
  const { app } = await testApp(t)
  const Item = Type.Object({
    id: Uuid,
    at: Time,
    note: nullable(Type.String()),
    last: nullable(Type.Object({ n: Type.Integer() })),
  })
  const rows = [
    { id: ID, at: '2026-01-02T03:04:05.006Z', note: null, last: null, hash: 'argon2' },
    { id: ID, at: '2026-01-02T03:04:05.006Z', note: '잎', last: { n: 1, secret: 2 }, hash: 'argon2' },
  ]
  app.get('/api/items', { schema: { response: { 200: listOf(Item), ...problems('forbidden') } } }, async () => ({
    items: rows,
    next: null,
  }))
  assert.deepEqual((await app.inject('/api/items')).json(), {
    items: [
      { id: ID, at: '2026-01-02T03:04:05.006Z', note: null, last: null },
      { id: ID, at: '2026-01-02T03:04:05.006Z', note: '잎', last: { n: 1 } },
    ],
    next: null,
  })
})

test('limit is 1 to 100, 30 by default, and a number in decimal digits', async (t) => {
  const { app } = await testApp(t)
  app.get('/api/items', { schema: { querystring: ListQuery } }, async ({ query }) => ({
    limit: query.limit,
    is: typeof query.limit,
  }))
  assert.deepEqual((await app.inject('/api/items')).json(), { limit: 30, is: 'number' })
  assert.deepEqual((await app.inject('/api/items?limit=100&cursor=abc')).json(), { limit: 100, is: 'number' })
  for (const bad of ['0', '101', '-1', '', '1.5', '1e1', '0x10', '%2010', 'ten', '5&limit=6']) {
    const { errors } = assertProblem(await app.inject(`/api/items?limit=${bad}`), 400, 'validation_failed')
    assert.equal(errors?.[0]?.path, '/limit', bad)
  }
})
