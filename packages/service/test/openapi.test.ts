import assert from 'node:assert/strict'
import test from 'node:test'
import { Type } from 'typebox'
import { requireAdmin, requireUser } from '../src/auth.ts'
import { listOf, ListQuery, nullable, problems, Uuid } from '../src/schema.ts'
import { testApp } from './app.ts'

interface Operation {
  operationId: string
  tags: string[]
  security?: object[]
  parameters?: { name: string; in: string }[]
  responses: Record<string, { description: string; content: Record<string, { schema: { $ref?: string } }> }>
}

async function contract(t: test.TestContext) {
  const { app } = await testApp(t, { info: { title: 'Pando', version: '1.2.3', description: 'Plants.' } })
  await app.register(async (scope) => {
    scope.get(
      '/api/rooms/:id/messages',
      {
        onRequest: requireUser,
        schema: { querystring: ListQuery, response: { 200: listOf(Uuid), ...problems('not_found') } },
      },
      async () => {},
    )
    scope.delete(
      '/api/rooms/:id/messages',
      { onRequest: [requireAdmin], schema: { params: Type.Object({ id: Uuid }) } },
      async () => {},
    )
    scope.post(
      '/api/users',
      {
        schema: {
          body: Type.Object({ name: Type.String() }),
          response: { 202: Type.Object({}), ...problems('username_taken', 'email_taken') },
        },
      },
      async () => ({}),
    )
    scope.get('/api/.well-known/jwks.json', { schema: { summary: 'Keys' } }, async () => ({}))
    scope.get('/api/secret', { schema: { hide: true } }, async () => ({}))
    scope.get('/*', async () => ({}))
  })
  const answer = await app.inject('/api/openapi.json')
  assert.equal(answer.statusCode, 200)
  assert.match(String(answer.headers['content-type']), /^application\/json/)
  return {
    app,
    document: answer.json<{
      openapi: string
      info: { title: string; version: string; description: string }
      paths: Record<string, Record<string, Operation>>
      components: { schemas: object }
    }>(),
  }
}

test('the document names every route with a schema, once, and no other', async (t) => {
  const { document } = await contract(t)
  assert.match(document.openapi, /^3\.1\.\d+$/)
  assert.equal(document.info.title, 'Pando')
  assert.equal(document.info.version, '1.2.3')
  assert.match(document.info.description, /^Plants\.\n\n## Problems\n[^]*`username_taken` \| 409/)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => `${method} ${path} ${operationId}`),
  )
  assert.deepEqual(operations.toSorted(), [
    'delete /api/rooms/{id}/messages deleteRoomsByIdMessages',
    'get /api/.well-known/jwks.json getWellKnownJwksJson',
    'get /api/docs getDocs',
    'get /api/openapi.json getOpenapiJson',
    'get /api/rooms/{id}/messages getRoomsByIdMessages',
    'post /api/users postUsers',
  ])
})

test('parameters, answers, problems and who may call are described', async (t) => {
  const { document } = await contract(t)
  const { get, delete: remove } = document.paths['/api/rooms/{id}/messages'] ?? {}
  const post = document.paths['/api/users']?.['post']
  assert.ok(get && remove && post)
  for (const operation of [get, remove]) {
    assert.ok(operation.parameters?.some((parameter) => parameter.name === 'id' && parameter.in === 'path'))
    assert.deepEqual(operation.security, [{ bearer: [] }, { cookie: [] }])
  }
  assert.equal(post.security, undefined)
  assert.deepEqual(Object.keys(post.responses), ['202', '409', 'default'])
  assert.equal(post.responses['409']?.description, 'username_taken, email_taken')
  assert.equal(post.responses['409']?.content['application/problem+json']?.schema.$ref, '#/components/schemas/Problem')
  assert.ok('Problem' in document.components.schemas)
})

const Plant = Type.Object({ title: Type.String(), price: Type.Integer() }, { title: 'Plant' })
const Light = Type.String({ enum: ['sun', 'shade'], title: 'Light' })

test('a schema with a title is a component, to which all refer that show it', async (t) => {
  const { app } = await testApp(t)
  await app.register(async (scope) => {
    const light = Type.Optional(nullable(Light))
    scope.get(
      '/api/plants',
      {
        schema: {
          querystring: Type.Object({ light: Type.Enum(['sun', 'shade'], { title: 'Kind', default: 'sun' }) }),
          response: { 200: listOf(Plant) },
        },
      },
      async () => ({ items: [], next: null }),
    )
    scope.post(
      '/api/plants',
      { schema: { body: Type.Object({ light }), response: { 201: nullable(Plant) } } },
      async () => null,
    )
  })
  const { paths, components } = (await app.inject('/api/openapi.json')).json<{
    paths: Record<string, { get: unknown; post: unknown }>
    components: { schemas: Record<string, object> }
  }>()
  const { get, post } = paths['/api/plants']!
  const plant = { $ref: '#/components/schemas/Plant' }
  assert.partialDeepStrictEqual(get, {
    parameters: [{ name: 'light', schema: { $ref: '#/components/schemas/Kind', default: 'sun' } }],
    responses: { 200: { content: { 'application/json': { schema: { properties: { items: { items: plant } } } } } } },
  })
  assert.partialDeepStrictEqual(post, {
    requestBody: {
      content: {
        'application/json': {
          schema: { properties: { light: { anyOf: [{ $ref: '#/components/schemas/Light' }, { type: 'null' }] } } },
        },
      },
    },
    responses: { 201: { content: { 'application/json': { schema: { anyOf: [plant, { type: 'null' }] } } } } },
  })
  assert.deepEqual(Object.keys(components.schemas).toSorted(), ['Kind', 'Light', 'Plant', 'Problem'])
  assert.deepEqual(components.schemas.Light, { type: 'string', enum: ['sun', 'shade'] })
  assert.deepEqual(components.schemas.Plant, {
    type: 'object',
    required: ['title', 'price'],
    properties: { title: { type: 'string' }, price: { type: 'integer' } },
  })
})

test('two schemas that differ cannot have one title', async (t) => {
  const { app } = await testApp(t)
  const other = Type.Object({ name: Type.String() }, { title: 'Plant' })
  await app.register(async (scope) => {
    scope.get('/api/plants', { schema: { response: { 200: Plant, 201: other } } }, async () => ({}) as never)
  })
  await app.ready()
  assert.throws(() => app.swagger(), new TypeError('two schemas have the title Plant'))
})

test('the document of a service elsewhere brings its operations and their components', async (t) => {
  const elsewhere = await testApp(t)
  await elsewhere.app.register(async (scope) => {
    scope.get('/api/plants', { schema: { response: { 200: Plant } } }, async () => ({ title: '', price: 1 }))
  })
  await elsewhere.app.ready()
  const { app } = await testApp(t, { documents: async () => [elsewhere.app.swagger()] })
  const { paths, components } = (await app.inject('/api/openapi.json')).json<{
    paths: object
    components: { schemas: object; securitySchemes: object }
  }>()
  assert.ok('/api/plants' in paths && '/api/docs' in paths)
  assert.deepEqual(Object.keys(components.schemas).toSorted(), ['Plant', 'Problem'])
  assert.deepEqual(Object.keys(components.securitySchemes), ['bearer', 'cookie'])
})

test('the page works without inline script', async (t) => {
  const { app } = await contract(t)
  const page = await app.inject('/api/docs')
  assert.equal(page.statusCode, 200)
  assert.match(page.body, /<html[^>]+lang=/)
  assert.doesNotMatch(page.body, /<script(?![^>]*\bsrc=)|\son\w+=|<style|\sstyle=/)
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /script-src 'self';/)
  assert.match(policy, /frame-ancestors 'none'/)
  const parts = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => String(path))
  assert.ok(parts.some((path) => path.endsWith('.js')))
  for (const path of [...parts, '/api/docs/json']) assert.equal((await app.inject(path)).statusCode, 200, path)
})
