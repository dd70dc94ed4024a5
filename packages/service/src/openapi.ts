import { isDeepStrictEqual } from 'node:util'
import swagger from '@fastify/swagger'
import type { SwaggerTransform, SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifySchema, RouteOptions } from 'fastify'
import { Type } from 'typebox'
import { requireAdmin, requireToken, requireUser } from './auth.ts'
import type { App } from './http.ts'
import { problemCodes, problemTable } from './problem.ts'
import { ProblemBody } from './schema.ts'
import { contentSecurityPolicy } from './security-headers.ts'

export interface ApiInfo {
  title: string
  version: string
  description?: string
}

const DOCS = '/api/docs'

/**
 * Serves the contract of all routes that are registered after this, as `/api/openapi.json` and as a page. A route is part of it when it
 * has a schema without `hide`. `documents`: those of services elsewhere, whose operations are added to it. Names of operations, tags, path
 * parameters and who may call are derived from the route; a schema's `title` is its name.
 */
export async function serveOpenApi(
  app: App,
  info: ApiInfo,
  documents?: () => Promise<readonly object[]>,
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...info, description: [info.description, problemList()].filter(Boolean).join('\n\n') },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          cookie: { type: 'apiKey', in: 'cookie', name: 'pando_access' },
        },
      },
    },
    transform: describeRoute,
    transformObject: nameSchemas,
  })
  let text: string | undefined
  app.get(
    '/api/openapi.json',
    {
      schema: {
        summary: 'This document',
        response: { 200: answer('application/json', Type.Unsafe({ type: 'object' })) },
      },
    },
    async (_request, reply) => {
      if (documents) return reply.type('application/json').send(JSON.stringify(merge(app.swagger(), await documents())))
      return reply.type('application/json').send((text ??= JSON.stringify(app.swagger())))
    },
  )
  await app.register(swaggerUi, {
    routePrefix: DOCS,
    theme: { title: info.title },
    // Without the bar on top, which would load any document from anywhere.
    uiConfig: { layout: 'BaseLayout', url: '/api/openapi.json' },
    // The page inserts a style element; for scripts it is as strict as all others.
    staticCSP: contentSecurityPolicy({ 'style-src': "'self' 'unsafe-inline'" }),
  })
}

interface Described {
  paths?: object
  components?: { schemas?: object }
}

// What both have (health, the document itself) is described here.
function merge(own: Described, others: readonly Described[]): object {
  const all = [own, ...others].toReversed()
  const schemas = Object.assign({}, ...all.map(({ components }) => components?.schemas)) as object
  return {
    ...own,
    paths: Object.assign({}, ...all.map(({ paths }) => paths)) as object,
    components: { ...own.components, schemas },
  }
}

const describeRoute: SwaggerTransform = ({ schema, url, route }) => {
  // `/` under a prefix is reported with its slash.
  const path = url.replace(/(?<=.)\/$/, '')
  const known =
    path === DOCS
      ? { summary: 'This contract as a page', response: { 200: answer('text/html', Type.String()) } }
      : schema
  if (!known) return { schema: { hide: true } as FastifySchema, url }
  return {
    url: path,
    schema: {
      ...known,
      operationId: operationId(String(route.method), path),
      tags: [/^\/api\/([^/.]+)/.exec(path)?.[1] ?? 'keys'],
      ...(needsToken(route) && { security: [{ bearer: [] }, { cookie: [] }] }),
      response: {
        ...(known.response as object),
        default: { ...answer('application/problem+json', ProblemBody), description: 'Any other problem' },
      },
    } as FastifySchema,
  }
}

// GET /api/rooms/:id/messages → getRoomsByIdMessages. As unique as method and path are.
function operationId(method: string, path: string): string {
  const words = path
    .replace(/^\/api\//, '')
    .replaceAll(':', 'by-')
    .split(/[^A-Za-z0-9]+/)
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')
}

function needsToken(route: RouteOptions): boolean {
  const hooks: unknown[] = [route.onRequest ?? [], route.preHandler ?? []].flat()
  return [requireToken, requireUser, requireAdmin].some((hook) => hooks.includes(hook))
}

// A schema that has a title is a component of that name, to which whatever shows it refers: the answers of most operations are alike, and
// each has several problems.
const nameSchemas: SwaggerTransformObject = (document) => {
  if (!('openapiObject' in document)) throw new TypeError('the document is no OpenAPI 3')
  const { openapiObject } = document
  const schemas: Record<string, object> = {}
  const paths = withReferences(openapiObject.paths, schemas) as typeof openapiObject.paths
  return { ...openapiObject, paths, components: { ...openapiObject.components, schemas } } as typeof openapiObject
}

function withReferences(node: unknown, schemas: Record<string, object>): unknown {
  if (Array.isArray(node)) return node.map((item) => withReferences(item, schemas))
  if (typeof node !== 'object' || node === null) return node
  const members = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [name, withReferences(value, schemas)]),
  )
  const { title, default: preset, ...rest } = members
  // There are also members that are called so, of objects.
  if (typeof title !== 'string') return members
  const { schema, isNullable } = withoutNull(rest)
  if (!isDeepStrictEqual((schemas[title] ??= schema), schema))
    throw new TypeError(`two schemas have the title ${title}`)
  const reference = { $ref: `#/components/schemas/${title}`, ...(preset !== undefined && { default: preset }) }
  return isNullable ? { anyOf: [reference, { type: 'null' }] } : reference
}

// As `nullable` makes it.
function withoutNull(schema: Record<string, unknown>): { schema: object; isNullable: boolean } {
  const { type, enum: values } = schema
  if (!Array.isArray(type) || !type.includes('null')) return { schema, isNullable: false }
  const [only] = type
  return {
    schema: { ...schema, type: only, ...(Array.isArray(values) && { enum: values.filter((value) => value !== null) }) },
    isNullable: true,
  }
}

function answer<T>(type: string, schema: T) {
  return { description: 'OK', content: { [type]: { schema } } }
}

function problemList(): string {
  const rows = problemCodes.map(
    (code) => `| \`${code}\` | ${problemTable[code].status} | ${problemTable[code].title} |`,
  )
  return ['## Problems', '', '| code | status | title |', '|---|---|---|', ...rows].join('\n')
}
