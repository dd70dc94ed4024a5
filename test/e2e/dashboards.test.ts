// What is in deploy/ for Prometheus and Grafana asks only for figures that a running Pando tells, and operators find each alarm explained.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { PARTITIONS } from '../../system.ts'
import { Client } from '../support/client.ts'
import { newcomer, person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** What PromQL itself says in our expressions. */
const WORDS = new Set('sum max count by rate histogram_quantile topk vector or'.split(' '))
/** What Prometheus adds to every series, and `up`, which it makes. */
const ADDED = new Set(['job', 'instance'])
const UP = 'up'

interface Panel {
  title: string
  description?: string
  targets?: { expr: string; legendFormat: string }[]
}
interface Alert {
  name: string
  expr: string
  runbook: string
}

const panels = (JSON.parse(read('deploy/grafana/dashboard.json')) as { panels: Panel[] }).panels
const alerts: Alert[] = read('deploy/prometheus/alerts.yaml')
  .split(/^ +- alert: /m)
  .slice(1)
  .map((text) => ({
    name: /^\w+/.exec(text)![0],
    expr: /^ +expr: (.+)$/m.exec(text)![1]!,
    runbook: /^ +runbook: (.+)$/m.exec(text)![1]!,
  }))
const queries = [
  ...panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ from: title, ...target }))),
  ...alerts.map(({ name, expr }) => ({ from: name, expr, legendFormat: '' })),
]

/** The names of labels and of metrics that a query uses. */
function namesIn({ expr, legendFormat }: (typeof queries)[number]): { labels: string[]; metrics: string[] } {
  const withoutTexts = expr.replaceAll(/"[^"]*"/g, '""').replaceAll(/\[[^\]]*\]/g, '')
  const labels = [...withoutTexts.matchAll(/\{([^}]*)\}|\bby \(([^)]*)\)/g)].flatMap(([, matchers = '', by = '']) =>
    [matchers, by].flatMap((list) => list.match(/[a-z_]+/g) ?? []),
  )
  labels.push(...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!))
  const rest = withoutTexts.replaceAll(/\{[^}]*\}|\bby \([^)]*\)/g, ' ')
  return { labels, metrics: (rest.match(/[a-z_]\w*/g) ?? []).filter((word) => !WORDS.has(word)) }
}

/** Each series that is served, with its labels; those of a histogram by the names they have in queries. */
function seriesIn(text: string): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>()
  for (const [, name, labels = ''] of text.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? [^ ]+$/gm)) {
    const known = series.get(name!) ?? new Set()
    for (const [, label] of labels.matchAll(/(?:^|,)(\w+)="/g)) known.add(label!)
    series.set(name!, known)
  }
  return series
}

const manual = read('docs/operations.md')
const system = await startSystem({ after })

/** The figures of a Pando in which there is one of everything: a saga that has ended, and one that cannot. */
async function scrape(): Promise<Map<string, Set<string>>> {
  await person(system.url)
  const chat = await system.databases.chat.connect()
  await chat.query('begin; lock table chat.member in access exclusive mode')
  try {
    assert.equal((await new Client(system.url).post('/api/users', newcomer())).status, 202)
    return await until('an open saga in the figures', async () => {
      const { text } = await new Client(system.metricsUrl!).get('/metrics')
      return text.includes('\npando_sagas_open{') && seriesIn(text)
    })
  } finally {
    await chat.close()
  }
}

test('every query asks for series and labels that are there', async () => {
  const series = await scrape()
  assert.ok(queries.length > 50, String(queries.length))
  for (const query of queries) {
    const { labels, metrics } = namesIn(query)
    const own = metrics.filter((name) => name !== UP)
    assert.ok(metrics.length > 0, query.from)
    assert.deepEqual(
      own.filter((name) => !series.has(name)),
      [],
      query.from,
    )
    const known = own.flatMap((name) => [...series.get(name)!])
    assert.deepEqual(
      labels.filter((label) => !ADDED.has(label) && !known.includes(label)),
      [],
      query.from,
    )
  }
})

test('the manual tells of each figure of ours, and of no other', async () => {
  const { text } = await new Client(system.metricsUrl!).get('/metrics')
  const served = [...text.matchAll(/^# TYPE (pando_\w+) /gm)].map(([, name]) => name!)
  const told = new Set([...manual.matchAll(/`(pando_\w+)`/g)].map(([, name]) => name!))
  // These are databases.
  for (const name of ['user', 'customer', 'chat', 'market', 'notification', 'log']) told.delete(`pando_${name}`)
  assert.deepEqual([...told].toSorted(), served.toSorted())
})

test('every panel says what it shows, and stands alone in its place', () => {
  const rows = panels.filter(({ targets }) => !targets).map(({ title }) => title)
  assert.deepEqual(rows, ['Sagas', 'Events', 'Streams', 'HTTP', 'Process'])
  for (const { title, description, targets } of panels) if (targets) assert.ok(description, title)
  type Placed = Panel & { id: number; gridPos: { x: number; y: number; w: number; h: number } }
  const taken = new Set<string>()
  for (const { title, gridPos } of panels as Placed[])
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24 && !taken.has(`${x} ${y}`), `${title} lies on another panel`)
        taken.add(`${x} ${y}`)
      }
  assert.equal(new Set((panels as Placed[]).map(({ id }) => id)).size, panels.length)
})

test('every alarm is explained where it says, and nothing else is', () => {
  assert.ok(alerts.length > 10)
  const explained = [...manual.matchAll(/^#### (Pando\w+)$/gm)].map(([, name]) => name!)
  assert.deepEqual(explained.toSorted(), alerts.map(({ name }) => name).toSorted())
  for (const { name, runbook } of alerts) assert.equal(runbook, `docs/operations.md#${name.toLowerCase()}`)
  assert.match(alerts.find(({ name }) => name === 'PandoLaneUnread')!.expr, new RegExp(`< ${PARTITIONS}$`))
})
