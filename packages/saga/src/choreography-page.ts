import { type Choreography, heardBy, isIn, saidBy, type ServiceChoreography } from './choreography.ts'
import type { EventKind } from './event.ts'
import { answersTo, type SagaDefinition, sayingsOf } from './saga.ts'

const OUTSIDE = 'outside'

/**
 * A system as Markdown: who tells whom what, each saga when it goes well and when it does not (both for Mermaid), and a table of all
 * events. It begins with a heading of the second level. The same declarations give the same text.
 */
export function renderChoreography(choreography: Choreography): string {
  const sagas = choreography.services.flatMap((service) =>
    (service.sagas ?? []).map(({ definition }) => renderSaga(choreography, service.topic, definition)),
  )
  return `${['## Who tells whom what', renderSystem(choreography), ...sagas, '## Events', renderTable(choreography)].join('\n\n')}\n`
}

/** One service that tells another, or the world outside. */
interface Telling {
  from: string
  to: string
  kind: EventKind
}

function tellings(choreography: Choreography, kinds: readonly EventKind[]): Telling[] {
  return kinds.flatMap((kind) =>
    speakersOf(choreography, kind).flatMap((from) => listenersOf(choreography, kind).map((to) => ({ from, to, kind }))),
  )
}

const topics = (services: readonly ServiceChoreography[]): string[] => services.map(({ topic }) => topic)

const speakersOf = ({ services }: Choreography, kind: EventKind): string[] =>
  topics(services.filter((service) => isIn(saidBy(service), kind)))

function listenersOf({ services }: Choreography, kind: EventKind): string[] {
  const isForOutside = services.some(({ forOutside = [] }) => isIn(forOutside, kind))
  return [...topics(services.filter((service) => isIn(heardBy(service), kind))), ...(isForOutside ? [OUTSIDE] : [])]
}

const mermaid = (lines: readonly string[]): string => ['```mermaid', ...lines, '```'].join('\n')

// Names for Mermaid that are no words of its language, whatever the services are called.
function idsOf(choreography: Choreography, among: readonly Telling[]): Map<string, string> {
  const named = new Set(among.flatMap(({ from, to }) => [from, to]))
  const names = [...topics(choreography.services), OUTSIDE].filter((name) => named.has(name))
  return new Map(names.map((name, i) => [name, `s${i + 1}`]))
}

function renderSystem(choreography: Choreography): string {
  const all = tellings(choreography, choreography.events)
  const ids = idsOf(choreography, all)
  const pairs = Map.groupBy(all, ({ from, to }) => JSON.stringify([from, to])).values()
  return mermaid([
    'flowchart LR',
    ...[...ids].map(([name, id]) => (name === OUTSIDE ? `  ${id}(["${name}"])` : `  ${id}["${name}"]`)),
    ...[...pairs].map((told) => {
      const { from, to } = told[0]!
      const arrow = to === OUTSIDE ? '-.->' : '-->'
      return `  ${ids.get(from)} ${arrow}|"${told.map(({ kind }) => kind.type).join('<br/>')}"| ${ids.get(to)}`
    }),
  ])
}

function renderSaga(choreography: Choreography, initiator: string, definition: SagaDefinition<never>): string {
  const { type, starts, completes, fails, deadlineMs } = definition
  const steps = Object.values(definition.steps)
  const ids = idsOf(choreography, tellings(choreography, [...sayingsOf(definition), ...answersTo(definition)]))
  const lines = (kinds: readonly EventKind[], arrow = '->>'): string[] =>
    tellings(choreography, kinds).map(({ from, to, kind }) => `${ids.get(from)}${arrow}${ids.get(to)}: ${kind.type}`)
  const note = (text: string): string => `Note over ${ids.get(initiator)}: ${text}`
  const indented = (...some: string[]): string[] => some.map((line) => `    ${line}`)
  const forward = [...lines(steps.map(({ done }) => done)), note('completed'), ...lines([completes])]
  if (!fails)
    return [
      `## The saga \`${type}\``,
      `Started by \`${initiator}\`. It only goes forward, however long that takes; after ${deadlineMs / 1000} s it is shown as overdue.`,
      mermaid([
        'sequenceDiagram',
        ...[...ids].map(([name, id]) => `  participant ${id} as ${name}`),
        ...[...lines([starts]), ...forward].map((line) => `  ${line}`),
      ]),
    ].join('\n\n')
  return [
    `## The saga \`${type}\``,
    `Started by \`${initiator}\`, which waits ${deadlineMs / 1000} s for the answers. A dashed arrow: one such answer is enough.`,
    mermaid([
      'sequenceDiagram',
      ...[...ids].map(([name, id]) => `  participant ${id} as ${name}`),
      ...lines([starts]).map((line) => `  ${line}`),
      '  alt everybody does it',
      ...indented(...forward),
      '  else somebody refuses, or the time is up',
      ...indented(
        ...lines(
          steps.flatMap(({ failed }) => failed ?? []),
          '-->>',
        ),
        note('compensating'),
        ...lines([fails]),
        ...lines(steps.flatMap(({ undone }) => undone ?? [])),
        note('failed, and nothing of it is left'),
      ),
      '  end',
    ]),
  ].join('\n\n')
}

function renderTable(choreography: Choreography): string {
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')
  const rows = choreography.events.map((kind) => {
    const parts = choreography.services.flatMap(({ sagas = [] }) =>
      sagas.flatMap(({ definition }) => partsIn(definition, kind)),
    )
    const heard = listenersOf(choreography, kind).map((name) => (name === OUTSIDE ? 'only outside' : code([name])))
    return [
      `\`${kind.type}\` v${kind.version}`,
      code(speakersOf(choreography, kind)),
      heard.join(', '),
      parts.map(({ role }) => role).join('<br>') || '–',
      parts.map(({ undoing }) => undoing).join('<br>') || '–',
    ]
  })
  const head = ['event', 'said by', 'heard by', 'saga, and its part in it', 'on failure']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** What an event is in a saga, and what undoes what it tells of: none, one, or more. */
function partsIn(definition: SagaDefinition<never>, kind: EventKind): { role: string; undoing: string }[] {
  const { type, starts, completes, fails, steps } = definition
  const is = (other: EventKind): boolean => isIn([other], kind)
  const forward = 'nothing: it only goes forward'
  const parts = Object.entries(steps).flatMap(([name, { done, failed, undone }]) => {
    if (!fails || !failed || !undone) return is(done) ? [{ role: `${name}: done`, undoing: forward }] : []
    return [
      ...(is(done) ? [{ role: `${name}: done`, undoing: `\`${undone.type}\`, when it hears \`${fails.type}\`` }] : []),
      ...(is(failed) ? [{ role: `${name}: failed`, undoing: `leads to \`${fails.type}\`` }] : []),
      ...(is(undone) ? [{ role: `${name}: undone`, undoing: `undoes \`${done.type}\`` }] : []),
    ]
  })
  if (is(starts)) parts.push({ role: 'starts it', undoing: fails ? `\`${fails.type}\`` : forward })
  if (is(completes)) parts.push({ role: 'completes it', undoing: 'nothing: from here on it cannot fail' })
  if (fails && is(fails))
    parts.push({
      role: 'fails it',
      undoing: Object.values(steps)
        .flatMap(({ undone }) => (undone ? `\`${undone.type}\`` : []))
        .join(', '),
    })
  return parts.map(({ role, undoing }) => ({ role: `${type}, ${role}`, undoing }))
}
