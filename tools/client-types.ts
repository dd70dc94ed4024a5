/** What is read of an OpenAPI 3.1 document. */
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

interface Operation {
  summary?: string
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[]
  requestBody?: { required?: boolean; content: Content }
  responses: Record<string, { content?: Content }>
}

type Content = Record<string, { schema: Schema }>

export interface Schema {
  $ref?: string
  type?: string | string[]
  nullable?: boolean
  const?: unknown
  enum?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  patternProperties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  default?: unknown
}

const KNOWN = new Set<string>([
  '$ref',
  'type',
  'nullable',
  'const',
  'enum',
  'properties',
  'required',
  'additionalProperties',
  'patternProperties',
  'items',
  'anyOf',
  'oneOf',
  'allOf',
  'default',
  // What is said of a value beyond its type.
  'title',
  'description',
  'examples',
  'deprecated',
  'discriminator',
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
])

const JSON_TYPE = 'application/json'
const NAME = /^[A-Za-z_$][\w$]*$/
const REFERENCE = '#/components/schemas/'
/** The pattern of an object with any names. */
const ANY_NAME = '^.*$'

/**
 * The TypeScript of what a client may send and what it gets, not formatted: a type for each component, and `Endpoints`: by method and
 * address the `path`, `query` and `body` that are sent, and the `answer` (none when it is left out). `bodyType` and `answerType` are
 * there when these are no JSON, and say what they are. A query's optional members may be undefined, since those are not sent.
 * Throws Error, which names the operation and the keyword, for a schema that it cannot express.
 */
export function renderClient({ paths, components: { schemas = {} } = {} }: OpenApi): string {
  const types = Object.keys(schemas)
    .toSorted()
    .map((name) => declaration(name, schemas[name]!))
  const endpoints = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) =>
      renderOperation(`${method.toUpperCase()} ${path}`, operation),
    ),
  )
  return [...types, `export interface Endpoints {\n${endpoints.join('\n')}\n}\n`].join('\n\n')
}

function declaration(name: string, schema: Schema): string {
  if (!NAME.test(name)) throw new Error(`the component ${name} is no name of a type`)
  const of = `the component ${name}`
  const type = renderType(schema, of)
  const isPlain = schema.properties !== undefined && type === renderObject(schema, of)
  return isPlain ? `export interface ${name} ${type}` : `export type ${name} = ${type}`
}

function renderOperation(name: string, { summary, parameters = [], requestBody, responses }: Operation): string {
  const among = (place: string) => parameters.filter((parameter) => parameter.in === place)
  const path = among('path').map((one) => `${keyOf(one.name)}: ${renderType(one.schema, name)}`)
  const query = among('query').map(({ name: key, required = false, schema }) =>
    isNeeded(required, schema)
      ? `${keyOf(key)}: ${renderType(schema, name)}`
      : `${keyOf(key)}?: ${renderType(schema, name)} | undefined`,
  )
  const isQueryNeeded = among('query').some(({ required = false, schema }) => isNeeded(required, schema))
  const members = [
    ...(path.length > 0 ? [`path: { ${path.join('; ')} }`] : []),
    ...(query.length > 0 ? [`query${isQueryNeeded ? '' : '?'}: { ${query.join('; ')} }`] : []),
    ...(requestBody ? [renderBody(requestBody, name)] : []),
    ...renderAnswer(responses, name),
  ]
  const comment = summary === undefined ? '' : `/** ${summary.replaceAll('*/', '*\\/')} */\n`
  return `${comment}${JSON.stringify(name)}: { ${members.join('; ')} }`
}

// What has a default may be left out, whatever `required` says of it once it has been filled in.
const isNeeded = (required: boolean, schema: Schema): boolean => required && schema.default === undefined

function renderBody({ required = false, content }: { required?: boolean; content: Content }, name: string): string {
  const json = content[JSON_TYPE]
  return json
    ? `body${required ? '' : '?'}: ${renderType(json.schema, name)}`
    : `bodyType: ${union(Object.keys(content).map(literal))}`
}

function renderAnswer(responses: Operation['responses'], name: string): string[] {
  const successes = Object.entries(responses).filter(([status]) => status.startsWith('2'))
  const contents = successes.map(([, { content }]) => content)
  const json = contents.flatMap((content) => content?.[JSON_TYPE] ?? [])
  if (json.length > 0) {
    const nothing = contents.includes(undefined) ? ['undefined'] : []
    return [`answer: ${union([...json.map(({ schema }) => renderType(schema, name)), ...nothing])}`]
  }
  const others = contents.flatMap((content) => Object.keys(content ?? {}))
  return others.length > 0 ? [`answerType: ${union(others.map(literal))}`] : []
}

function renderType(schema: Schema, of: string): string {
  const strange = Object.keys(schema).find((keyword) => !KNOWN.has(keyword))
  if (strange !== undefined) throw cannot(of, strange)
  const several = (schemas: Schema[]): string => union(schemas.map((one) => renderType(one, of)))
  const all = [
    ...(schema.$ref === undefined ? [] : [renderReference(schema.$ref, of)]),
    ...renderOwn(schema, of),
    ...(schema.allOf ?? []).map((one) => renderType(one, of)),
    ...(schema.anyOf ? [several(schema.anyOf)] : []),
    ...(schema.oneOf ? [several(schema.oneOf)] : []),
  ]
  const type = all.length === 0 ? 'unknown' : all.length === 1 ? all[0]! : all.map(grouped).join(' & ')
  return schema.nullable === true ? union([type, 'null']) : type
}

function renderReference(reference: string, of: string): string {
  const name = reference.slice(REFERENCE.length)
  if (!reference.startsWith(REFERENCE) || !NAME.test(name)) throw cannot(of, `$ref: ${reference}`)
  return name
}

/** Of its own keywords, without what it is composed of; nothing when they leave everything open. */
function renderOwn(schema: Schema, of: string): string[] {
  if ('const' in schema) return [literal(schema.const)]
  if (schema.enum) return [union(schema.enum.map(literal))]
  if (schema.type === undefined) return schema.properties ? [renderObject(schema, of)] : []
  return [union([schema.type].flat().map((type) => renderOf(type, schema, of)))]
}

function renderOf(type: string, schema: Schema, of: string): string {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type
    case 'integer':
    case 'number':
      return 'number'
    case 'array':
      return `${grouped(renderType(schema.items ?? {}, of))}[]`
    case 'object':
      return renderObject(schema, of)
    default:
      throw cannot(of, `type: ${type}`)
  }
}

function renderObject({ properties = {}, required = [], ...open }: Schema, of: string): string {
  const members = Object.entries(properties).map(
    ([name, schema]) =>
      `${keyOf(name)}${isNeeded(required.includes(name), schema) ? '' : '?'}: ${renderType(schema, of)}`,
  )
  const rest = renderRest(open, of)
  if (members.length === 0) return `Record<string, ${rest ?? 'unknown'}>`
  if (rest !== undefined && rest !== 'unknown') throw cannot(of, 'additionalProperties beside properties')
  return `{ ${[...members, ...(rest === undefined ? [] : ['[name: string]: unknown'])].join('; ')} }`
}

/** The type of members that have no names; undefined when there are none. */
function renderRest({ additionalProperties, patternProperties }: Schema, of: string): string | undefined {
  const patterns = Object.keys(patternProperties ?? {})
  if (patterns.some((pattern) => pattern !== ANY_NAME)) throw cannot(of, `patternProperties: ${patterns.join()}`)
  const rest = patternProperties?.[ANY_NAME] ?? additionalProperties
  if (rest === undefined || rest === false) return undefined
  return rest === true ? 'unknown' : renderType(rest, of)
}

const keyOf = (name: string): string => (NAME.test(name) ? name : JSON.stringify(name))
const literal = (value: unknown): string => JSON.stringify(value)
const union = (types: string[]): string => [...new Set(types)].join(' | ')
// The formatter takes away what is not needed.
const grouped = (type: string): string => (NAME.test(type) ? type : `(${type})`)

const cannot = (of: string, keyword: string): Error =>
  new Error(`${of} has a schema with "${keyword}", which tools/client-types.ts cannot make a type of`)
