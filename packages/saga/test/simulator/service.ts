import type { NewEvent } from '@pando/saga'
import type { Random } from '@pando/saga/testing'
import { type Log, type Message, messageOf, type Place } from './log.ts'

/** What a transaction leads to: the new state, and the events that it appends. */
export interface Outcome<State> {
  state: State
  says: readonly { event: NewEvent; saga: Pick<Message, 'sagaType' | 'sagaId'> }[]
}

/** How likely what goes wrong; all 0 when calm. */
export interface Chaos {
  /** The process dies in a transaction, before or after its commit. */
  crash: number
  /** After a crash it reads its last batch again. */
  again: number
  /** The relay dies after it published, before it deleted. */
  republish: number
  /** An event fails for good: its key is parked. */
  park: number
  /** … and nobody ever runs it again; only at the start of a saga. */
  abandon: number
}

/** A service: what it keeps (`state`, inbox, outbox, parked keys) survives; a transaction happens whole or not at all. */
export function createService<State>(options: {
  name: string
  log: Log
  reads: readonly string[]
  state: State
  hear: (state: State, message: Message, now: number) => Outcome<State>
  /** Whether a saga starts with this event. */
  starts: (message: Message) => boolean
  random: Random
  chaos: Readonly<Chaos>
  /** Whether it has an inbox. */
  remembers: boolean
  trace: (line: string) => void
}) {
  const { name, log, hear, starts, random, chaos, remembers, trace } = options
  const reader = log.reader(options.reads)
  const inbox = new Set<string>()
  const outbox: Message[] = []
  const parked = new Map<string, Message[]>()
  const abandoned = new Set<string>()
  let { state } = options
  let last: Place[] = []
  let made = 0

  /** Runs `work` and keeps its outcome, unless the process dies before the commit. */
  function commit(what: string, work: () => Outcome<State>): boolean {
    const outcome = work()
    if (random.chance(chaos.crash)) {
      trace(`${name} dies before the commit of ${what}`)
      return false
    }
    state = outcome.state
    for (const { event, saga } of outcome.says) {
      const message = messageOf(`${name}-${++made}`, event, saga)
      outbox.push(message)
      trace(`${name} appends ${show(message)} (${what})`)
    }
    return true
  }

  function poll(now: number, max: number): boolean {
    const places = reader.look(max)
    if (places.length === 0) return false
    const fresh = new Map<string, Place>()
    for (const place of places)
      if (!remembers || !inbox.has(place.message.id)) fresh.set(place.message.id, fresh.get(place.message.id) ?? place)
    const failing = new Map<string, Place>()
    for (const place of fresh.values())
      if (!parked.has(place.message.key) && !failing.has(place.message.key) && random.chance(chaos.park))
        failing.set(place.message.key, place)
    // Of a key that is parked now, what stands before the event that fails is heard.
    const [waits, hears] = partition([...fresh.values()], ({ message }, i, all) => {
      const failed = failing.get(message.key)
      return parked.has(message.key) || (failed !== undefined && i >= all.indexOf(failed))
    })
    const heard = hears.map(({ message }) => message)
    if (!commit(`hearing ${heard.map(show).join(', ')}`, () => fold(heard, now))) return true
    for (const [key, place] of failing)
      park(place, !heard.some((message) => message.key === key) && reader.isNext(place))
    for (const { message } of waits) parked.get(message.key)!.push(message)
    for (const id of fresh.keys()) inbox.add(id)
    reader.take(places)
    if (random.chance(chaos.crash)) {
      trace(`${name} dies after the commit`)
      if (random.chance(chaos.again)) reader.rewind([...last, ...places])
    }
    last = places
    return true
  }

  /** `isFirst`: it has heard all that came before, and nothing else; so it has done nothing that somebody waits for. */
  function park({ message }: Place, isFirst: boolean): void {
    const forGood = isFirst && starts(message) && random.chance(chaos.abandon)
    if (forGood) abandoned.add(message.key)
    parked.set(message.key, [])
    trace(`${name} parks ${message.key} at ${show(message)}${forGood ? ' for good' : ''}`)
  }

  function fold(messages: readonly Message[], now: number): Outcome<State> {
    const says: Outcome<State>['says'][number][] = []
    let next = state
    for (const message of messages) {
      const outcome = hear(next, message, now)
      next = outcome.state
      says.push(...outcome.says)
    }
    return { state: next, says }
  }

  return {
    name,
    get state() {
      return state
    },
    /** Hears up to `max` events in one transaction; false when there are none. */
    poll,
    /** A transaction of its own. */
    act: commit,
    /** Publishes up to `max` events of the outbox; false when it is empty. */
    relay(max: number): boolean {
      const head = outbox.slice(0, max)
      log.publish(head)
      if (random.chance(chaos.republish))
        trace(`${name}'s relay dies before it has deleted ${head.map(show).join(', ')}`)
      else outbox.splice(0, max)
      return head.length > 0
    },
    /** Runs a parked key's events again; false when none is to be run. */
    redrive(now: number): boolean {
      const key = [...parked.keys()].find((one) => !abandoned.has(one))
      if (key === undefined) return false
      const messages = parked.get(key)!
      if (commit(`running ${key} again`, () => fold(messages, now))) parked.delete(key)
      return true
    },
  }
}

function partition<T>(list: readonly T[], test: (item: T, index: number, all: readonly T[]) => boolean): [T[], T[]] {
  const groups = Map.groupBy(list, (item, i) => test(item, i, list))
  return [groups.get(true) ?? [], groups.get(false) ?? []]
}

const show = ({ id, type, sagaId }: Message): string => `${type} [${id}, ${sagaId}]`
