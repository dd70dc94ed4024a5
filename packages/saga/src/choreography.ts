import type { EventKind } from './event.ts'
import { nameOf, type Reaction } from './reaction.ts'
import { answersTo, type SagaDefinition, sayingsOf } from './saga.ts'
import type { SagaHooks } from './sagas.ts'

/** What a service says and hears: that part of what `createWorker` takes which can be read without running anything. */
export interface ServiceChoreography {
  /** The service's name: its own events go to the topic of that name. */
  readonly topic: string
  readonly reactions?: readonly Reaction[]
  /** The sagas that it starts. */
  readonly sagas?: readonly { readonly definition: SagaDefinition<never>; readonly hooks?: SagaHooks }[]
  /** Events that its commands append; reactions and sagas name theirs themselves. */
  readonly appends?: readonly EventKind[]
  /** Events of its that are only for readers outside the system: nobody in it hears them. */
  readonly forOutside?: readonly EventKind[]
}

/** A whole system: the events that are agreed on, and the services that say and hear them. */
export interface Choreography {
  readonly events: readonly EventKind[]
  readonly services: readonly ServiceChoreography[]
}

/**
 * What is wrong with a system, a sentence each, from its declarations alone; empty when nothing is: an event that is not agreed on, that
 * nobody or more than one service says, that goes to another's topic, or that nobody hears; a step of a saga that nobody does or undoes;
 * and events that could lead to each other for ever.
 */
export function checkChoreography(choreography: Choreography): string[] {
  return [
    ...undeclared(choreography),
    ...misspoken(choreography),
    ...unheard(choreography),
    ...choreography.services.flatMap((service) => unfinished(service, choreography.services)),
    ...endless(choreography),
  ]
}

/** All that a service says. */
export const saidBy = ({ reactions = [], sagas = [], appends = [] }: ServiceChoreography): EventKind[] => [
  ...reactions.flatMap(({ emits }) => emits),
  ...sagas.flatMap(({ definition, hooks }) => [...sayingsOf(definition), ...(hooks?.emits ?? [])]),
  ...appends,
]

/** All that a service hears, in reactions of its own or as answers to its sagas. */
export const heardBy = ({ reactions = [], sagas = [] }: ServiceChoreography): EventKind[] => [
  ...reactions.flatMap(({ types }) => types),
  ...sagas.flatMap(({ definition }) => answersTo(definition)),
]

export const isIn = (kinds: readonly EventKind[], kind: EventKind): boolean =>
  kinds.some((other) => nameOf(other) === nameOf(kind))

const titleOf = ({ type, version }: EventKind): string => `${type} v${version}`

function undeclared({ events, services }: Choreography): string[] {
  const twice = events.filter((kind, i) => isIn(events.slice(0, i), kind))
  const wrong = (topic: string, verb: string, kinds: readonly EventKind[]): string[] =>
    unique(kinds)
      .filter((kind) => !events.includes(kind))
      .map((kind) => `${topic} ${verb} ${titleOf(kind)}, ${whyNot(kind, events)}`)
  return [
    ...twice.map((kind) => `${titleOf(kind)} is declared twice: keep one of them.`),
    ...services.flatMap((service) => [
      ...wrong(service.topic, 'hears', heardBy(service)),
      ...wrong(service.topic, 'says', saidBy(service)),
      ...wrong(service.topic, 'has for outside', service.forOutside ?? []),
    ]),
  ]
}

function whyNot(kind: EventKind, events: readonly EventKind[]): string {
  if (isIn(events, kind)) return 'but not as it is declared: use the declared event, not a copy.'
  const versions = events.filter(({ type }) => type === kind.type).map(({ version }) => `v${version}`)
  if (versions.length > 0) return `but only ${versions.join(' and ')} is declared.`
  return 'which is not declared: add it to the events that are agreed on.'
}

function misspoken({ events, services }: Choreography): string[] {
  return events.flatMap((kind) => {
    const producers = services.filter((service) => isIn(saidBy(service), kind)).map(({ topic }) => topic)
    const [producer] = producers
    if (producer === undefined)
      return `${titleOf(kind)} is said by nobody: name it in "emits" or "appends" of ${kind.topic}, or remove it.`
    if (producers.length > 1)
      return `${titleOf(kind)} is said by ${producers.join(' and ')}: give each an event of its own.`
    if (producer !== kind.topic)
      return `${titleOf(kind)} goes to the topic ${kind.topic}, but ${producer} says it: only ${kind.topic} may.`
    return []
  })
}

function unheard({ events, services }: Choreography): string[] {
  return events.flatMap((kind) => {
    const consumers = services.filter((service) => isIn(heardBy(service), kind)).map(({ topic }) => topic)
    const forOutside = services.filter((service) => isIn(service.forOutside ?? [], kind)).map(({ topic }) => topic)
    if (forOutside.length > 0 && consumers.length > 0)
      return `${titleOf(kind)} is "forOutside" of ${forOutside.join(' and ')}, but ${consumers.join(' and ')} hears it: take it out there.`
    if (forOutside.length === 0 && consumers.length === 0)
      return `${titleOf(kind)} is heard by nobody: let a service react to it, or name it in "forOutside" of ${kind.topic}.`
    return []
  })
}

/** Steps of a service's sagas that nobody begins, or that stay done when the saga fails. */
function unfinished({ sagas = [] }: ServiceChoreography, services: readonly ServiceChoreography[]): string[] {
  return sagas.flatMap(({ definition, hooks }) => {
    const { type, starts, fails, own, steps } = definition
    const beginnings = [starts, ...Object.values(steps).map(({ done }) => done)]
    const wrong = Object.entries(steps).flatMap(([name, { done, undone }]) => {
      const step = `the step "${name}" of the saga "${type}"`
      const doer = services.find((service) => (service.reactions ?? []).some(({ emits }) => isIn(emits, done)))
      if (!doer) return `${step} is done by nobody: no reaction emits ${titleOf(done)}.`
      const leads = (from: readonly EventKind[], to: EventKind): boolean =>
        doer.reactions!.some(({ types, emits }) => isIn(emits, to) && from.some((kind) => isIn(types, kind)))
      return [
        ...(leads(beginnings, done)
          ? []
          : [
              `${step} never begins: no reaction of ${doer.topic} hears ${titleOf(starts)} and emits ${titleOf(done)}.`,
            ]),
        ...(!fails || !undone || leads([fails], undone)
          ? []
          : [
              `${step} has no undo: no reaction of ${doer.topic} hears ${titleOf(fails)} and emits ${titleOf(undone)}.`,
            ]),
      ]
    })
    const hookless = fails && own !== undefined && !hooks?.failed
    return hookless
      ? [...wrong, `the step "${own}" of the saga "${type}" has no undo: it has no hook "failed".`]
      : wrong
  })
}

/**
 * Cycles of events. What a saga says about its end follows from its start, not from the answers: it ends once, however many there are.
 * A reaction may answer anything it hears with anything it emits, so one that takes much may have to be split for its map to be exact.
 */
function endless({ services }: Choreography): string[] {
  const next = new Map<string, Set<string>>()
  const lead = (from: readonly EventKind[], to: readonly EventKind[]): void => {
    for (const kind of from)
      for (const other of to) next.set(titleOf(kind), (next.get(titleOf(kind)) ?? new Set()).add(titleOf(other)))
  }
  for (const { reactions = [], sagas = [] } of services) {
    for (const { types, emits } of reactions) lead(types, emits)
    for (const { definition } of sagas) {
      const [starts, ...ends] = sayingsOf(definition)
      lead([starts!], ends)
    }
  }
  const done = new Set<string>()
  const walk = (event: string, path: readonly string[]): string[] => {
    const from = path.indexOf(event)
    if (from >= 0)
      return [
        `${[...path.slice(from), event].join(' → ')} could go on for ever: take one of these reactions away, or split it.`,
      ]
    if (done.has(event)) return []
    const found = [...(next.get(event) ?? [])].flatMap((other) => walk(other, [...path, event]))
    done.add(event)
    return found
  }
  return [...next.keys()].flatMap((event) => walk(event, []))
}

const unique = (kinds: readonly EventKind[]): EventKind[] => [...new Set(kinds)]
