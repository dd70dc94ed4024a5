// Traces as a collector gets them: OTLP over HTTP, from a whole Pando.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import type { Envelope } from '@pando/saga'
import { Client } from '../support/client.ts'
import { type CollectedSpan, startCollector } from '../support/collector.ts'
import { newcomer, person, sagaEnded, type SignedUp, viewsOf } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const collector = await startCollector({ after })
const OTEL_EXPORTER_OTLP_ENDPOINT = collector.url
const system = await startSystem({ after }, { env: { OTEL_EXPORTER_OTLP_ENDPOINT } })
const anybody = new Client(system.url)

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
const spansOf = (traceId: string): CollectedSpan[] => collector.spans.filter((span) => span.traceId === traceId)

/** Each span as its way from the root, sorted; `outside` is what the root hangs on. */
function waysOf(spans: readonly CollectedSpan[], outside?: string): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const wayOf = ({ service, name, parentSpanId }: CollectedSpan): string => {
    if (parentSpanId === outside) return `${service}: ${name}`
    const parent = byId.get(parentSpanId ?? '')
    return `${parent ? wayOf(parent) : 'LOST'} > ${service}: ${name}`
  }
  return spans.map(wayOf).toSorted()
}

const SIGN_UP = 'pando: POST /api/users'
const STARTED = `${SIGN_UP} > pando-chat: react user.sign-up-started`
const OPENED = `${SIGN_UP} > pando-customer: react user.sign-up-started`

test('a sign-up is one trace, from the request over the log to all reactions, and back to its stream', async () => {
  const who = newcomer()
  const stream = await anybody.stream('/api/users', {
    method: 'POST',
    body: who,
    headers: { 'content-type': 'application/json' },
  })
  const views = viewsOf(await stream.ended())
  assert.equal(views.at(-1)?.status, 'completed')
  const root = await until('the request', () => collector.spans.find(({ name }) => name === 'POST /api/users'))
  await until('all spans', () => spansOf(root.traceId).length === 12)
  const spans = spansOf(root.traceId)
  const ways = waysOf(spans)
  const answers = [
    [STARTED, 'chat.member-added', 'pando-chat'],
    [OPENED, 'customer.wallet-opened', 'pando-customer'],
  ] as const
  // Which of the two completes it is a matter of luck.
  const heard = answers.map(([way, type]) => `${way} > pando-user: react ${type}`)
  const last = heard.find((way) => ways.includes(`${way} > pando-user: publish user.registered`))
  assert.ok(last, ways.join('\n'))
  assert.deepEqual(
    ways,
    [
      SIGN_UP,
      `${SIGN_UP} > pando-user: publish user.sign-up-started`,
      `${SIGN_UP} > pando-market: react user.sign-up-started`,
      ...answers.flatMap(([way, type, service]) => [way, `${way} > ${service}: publish ${type}`]),
      ...heard,
      ...heard.map((way) => `${way} > pando-user: push sign-up`),
      `${last} > pando-user: publish user.registered`,
    ].toSorted(),
  )
  assert.deepEqual(
    spans.filter(({ failed }) => failed),
    [],
  )
  const { attributes, kind } = spans.find(({ name }) => name === 'react chat.member-added')!
  // SPAN_KIND_CONSUMER
  assert.equal(kind, 5)
  assert.deepEqual(
    [attributes['messaging.destination.name'], attributes['messaging.operation.type'], attributes['pando.event.tries']],
    ['chat', 'process', 1],
  )
  assert.deepEqual(
    [root.kind, root.attributes['http.route'], root.attributes['http.response.status_code']],
    [2, '/api/users', 200],
  )
  // Nothing that is personal or secret: the sign-up's id is a key to its stream.
  const all = collector.bodies.join('\n')
  for (const secret of [who.email, who.email.toLowerCase(), who.password, who.username, who.displayName, views[0]!.id])
    assert.ok(!all.includes(secret), secret)
})

test('a request with a trace of its own goes on with it', async () => {
  const traceId = hex(16)
  const caller = hex(8)
  const { body } = await anybody.post<SignedUp>('/api/users', newcomer(), { traceparent: `00-${traceId}-${caller}-01` })
  await sagaEnded(anybody, `/api/sagas/sign-up/${body.id}`)
  await until('all spans', () => spansOf(traceId).length === 10)
  const ways = waysOf(spansOf(traceId), caller)
  assert.equal(ways[0], SIGN_UP)
  assert.ok(!ways.join().includes('LOST'), ways.join('\n'))
})

test('what its caller does not record is not recorded here, and its events say so', async () => {
  const traceId = hex(16)
  const { body } = await anybody.post<SignedUp>('/api/users', newcomer(), { traceparent: `00-${traceId}-${hex(8)}-00` })
  await sagaEnded(anybody, `/api/sagas/sign-up/${body.id}`)
  const rows = await system.databases.user.query<{ emitted: string | null }>(
    'select emitted from saga.saga_event where saga_id = $1 and emitted is not null order by version',
    [body.id],
  )
  const events = rows.flatMap(({ emitted }) => JSON.parse(emitted!) as Envelope[])
  assert.deepEqual(
    events.map(({ type }) => type),
    ['user.sign-up-started', 'user.registered'],
  )
  for (const { traceparent } of events) assert.match(traceparent ?? '', new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  // What was done later has arrived.
  const { sagaId } = await person(system.url)
  assert.ok(sagaId)
  await until('a later one', () => collector.spans.filter(({ name }) => name === 'POST /api/sessions').length > 0)
  assert.deepEqual(spansOf(traceId), [])
})

test('health and what does not exist leave no traces, and no path is ever told', async () => {
  const traceId = hex(16)
  const traced = { traceparent: `00-${traceId}-${hex(8)}-01` }
  await anybody.get('/api/health/live', traced)
  await anybody.get('/api/nothing/kim@example.org', traced)
  const answer = await anybody.get('/api/usernames/kim@example.org', traced)
  assert.equal(answer.status, 200)
  await until('the last', () => spansOf(traceId).length > 0)
  assert.deepEqual(
    spansOf(traceId).map(({ name }) => name),
    ['GET /api/usernames/:username'],
  )
  assert.ok(!collector.bodies.join('\n').includes('kim@example.org'))
})
