import assert from 'node:assert/strict'
import test from 'node:test'
import { format } from 'oxfmt'
import { type OpenApi, renderClient, type Schema } from '../../tools/client-types.ts'

const json = (schema: Schema) => ({ content: { 'application/json': { schema } } })
const TEXT: Schema = { type: 'string' }

async function rendered(document: OpenApi): Promise<string> {
  const { code, errors } = await format('client.ts', renderClient(document), { semi: false, singleQuote: true })
  assert.deepEqual(errors, [])
  return code
}

/** What the client is told that this schema is. */
async function typeOf(schema: Schema): Promise<string> {
  const code = await rendered({ paths: {}, components: { schemas: { It: schema } } })
  const [, type = ''] =
    /^export (?:type It = |interface It )([^]*?)\n\nexport interface Endpoints \{\}\n$/.exec(code) ?? []
  return type.replaceAll(/\s+/g, ' ')
}

test('an operation: what is sent with it and what comes', async () => {
  const path = { name: 'id', in: 'path', required: true, schema: TEXT }
  const query = (name: string, required: boolean, schema: Schema) => ({ name, in: 'query', required, schema })
  const plant = { $ref: '#/components/schemas/Plant' }
  const document: OpenApi = {
    paths: {
      '/api/plants/{id}': {
        get: { summary: 'A plant', parameters: [path], responses: { 200: json(plant), 404: json(TEXT) } },
        put: {
          parameters: [path],
          requestBody: { required: true, ...json({ type: 'object', properties: { name: TEXT }, required: ['name'] }) },
          responses: { 200: json(plant), 201: json(plant), 204: {} },
        },
        delete: { parameters: [path], responses: { 204: {} } },
      },
      '/api/plants': {
        get: {
          parameters: [
            query('limit', true, { type: 'integer', default: 30 }),
            query('in-bloom', false, { type: 'boolean' }),
          ],
          responses: { 200: json({ type: 'array', items: plant }) },
        },
        post: { parameters: [query('by', true, TEXT)], responses: { 202: {} } },
      },
      '/api/pictures': {
        get: { responses: { 200: { content: { 'image/webp': { schema: {} } } } } },
        post: { requestBody: { content: { 'multipart/form-data': { schema: {} } } }, responses: { 201: json(TEXT) } },
      },
    },
    components: {
      schemas: { Plant: { type: 'object', properties: { id: TEXT, age: { type: 'integer' } }, required: ['id'] } },
    },
  }
  assert.equal(
    await rendered(document),
    `export interface Plant {
  id: string
  age?: number
}

export interface Endpoints {
  /** A plant */
  'GET /api/plants/{id}': { path: { id: string }; answer: Plant }
  'PUT /api/plants/{id}': {
    path: { id: string }
    body: { name: string }
    answer: Plant | undefined
  }
  'DELETE /api/plants/{id}': { path: { id: string } }
  'GET /api/plants': {
    query?: { limit?: number | undefined; 'in-bloom'?: boolean | undefined }
    answer: Plant[]
  }
  'POST /api/plants': { query: { by: string } }
  'GET /api/pictures': { answerType: 'image/webp' }
  'POST /api/pictures': { bodyType: 'multipart/form-data'; answer: string }
}
`,
  )
})

const TYPES: [type: string, schema: Schema][] = [
  ['string', { type: 'string', minLength: 1, pattern: '^a' } as Schema],
  ['number', { type: 'number' }],
  ['null', { type: 'null' }],
  ['unknown', {}],
  ['string | null', { type: ['string', 'null'] }],
  ['number | null', { type: 'integer', nullable: true }],
  ["'a' | 'b' | null", { type: ['string', 'null'], enum: ['a', 'b', null] }],
  ["'KRW'", { type: 'string', const: 'KRW' }],
  ['(string | null)[]', { type: 'array', items: { type: ['string', 'null'] } }],
  ['unknown[]', { type: 'array' }],
  ['Record<string, unknown>', { type: 'object' }],
  ['Record<string, number>', { type: 'object', patternProperties: { '^.*$': { type: 'integer' } } }],
  ['Record<string, boolean>', { type: 'object', additionalProperties: { type: 'boolean' } }],
  ['{ a?: string [name: string]: unknown }', { type: 'object', properties: { a: TEXT }, additionalProperties: true }],
  ['{ a?: string }', { type: 'object', properties: { a: TEXT }, additionalProperties: false }],
  ['string | number', { anyOf: [TEXT, { type: 'integer' }] }],
  ["'a' | 'b'", { oneOf: [{ const: 'a' }, { const: 'b' }] }],
  [
    '{ a: string } & ({ b?: string } | { c?: string })',
    {
      type: 'object',
      properties: { a: TEXT },
      required: ['a'],
      oneOf: [{ properties: { b: TEXT } }, { properties: { c: TEXT } }],
    },
  ],
  ['Other & { a?: string }', { allOf: [{ $ref: '#/components/schemas/Other' }, { properties: { a: TEXT } }] }],
]
for (const [type, schema] of TYPES)
  test(`${JSON.stringify(schema)} is ${type}`, async () => {
    assert.equal(await typeOf(schema), type)
  })

const INEXPRESSIBLE: [keyword: string, schema: Schema][] = [
  ['not', { not: {} } as Schema],
  ['$ref: #/definitions/A', { $ref: '#/definitions/A' }],
  ['type: file', { type: 'file' }],
  ['patternProperties: ^x-', { patternProperties: { '^x-': {} }, type: 'object' }],
  ['additionalProperties beside properties', { type: 'object', properties: { a: TEXT }, additionalProperties: TEXT }],
]
for (const [keyword, schema] of INEXPRESSIBLE)
  test(`what it cannot express is an error that names the operation: ${keyword}`, () => {
    const within = { type: 'object', properties: { a: { type: 'array', items: schema } } } satisfies Schema
    assert.throws(
      () => renderClient({ paths: { '/api/plants': { get: { responses: { 200: json(within) } } } } }),
      new Error(`GET /api/plants has a schema with "${keyword}", which tools/client-types.ts cannot make a type of`),
    )
  })
