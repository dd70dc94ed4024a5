// What a participant of the sign-up and account-deletion sagas decides, whatever it keeps of a user. Pure: services load their
// holdings, let this fold the events, and write what changed.

/** What a participant knows of a user's row: the sign-up that made it, and the deletion that holds it suspended. */
export interface Holding {
  madeBy: string
  heldBy: string | null
}

/** What became of a row: made, taken away because its sign-up failed, suspended, freed again, removed for good. */
export type Effect = 'create' | 'undo' | 'hold' | 'release' | 'erase'

/** The effect of an event, or why it is refused, or nothing at all. */
export type Decision = { effect: Effect } | { refuse: string } | undefined

/** Holdings by user id, and the ids of the sagas whose end came before their beginning. */
export interface Holdings<H extends Holding = Holding> {
  readonly byUser: ReadonlyMap<string, H>
  readonly tombstones: ReadonlySet<string>
}

/** What is to be written after a batch, in this order: rows to delete, to insert, to hold or release, and new tombstones. */
export interface Changes {
  gone: string[]
  made: { userId: string; madeBy: string }[]
  held: { userId: string; heldBy: string | null }[]
  buried: string[]
}

export type Happening = (typeof HAPPENINGS)[number]

export interface Occurrence {
  userId: string
  sagaId: string
  what: Happening
}

/**
 * Decides the events of a batch in their order: one decision for each, and what is to be written. A participant undoes only what this
 * very saga made or suspended; an end that comes before its beginning leaves a tombstone, so that the late beginning does nothing.
 * `why` may refuse a deletion with a reason.
 */
export function participate(
  before: Holdings,
  events: readonly Occurrence[],
  why: (userId: string) => string | undefined = () => undefined,
): { decisions: Decision[]; changes: Changes } {
  const byUser = new Map(before.byUser)
  const tombstones = new Set(before.tombstones)
  const decisions = events.map((event) => decide(byUser, tombstones, event, why))
  const changes: Changes = { gone: [], made: [], held: [], buried: [...tombstones.difference(before.tombstones)] }
  for (const userId of new Set(events.map((event) => event.userId))) {
    const was = before.byUser.get(userId)
    const is = byUser.get(userId)
    // Taken away and made again by another saga, it is another row.
    const same = was?.madeBy === is?.madeBy ? was : undefined
    if (was && !same) changes.gone.push(userId)
    if (is && !same) changes.made.push({ userId, madeBy: is.madeBy })
    if (is && is.heldBy !== (same?.heldBy ?? null)) changes.held.push({ userId, heldBy: is.heldBy })
  }
  return { decisions, changes }
}

function decide(
  byUser: Map<string, Holding>,
  tombstones: Set<string>,
  { userId, sagaId, what }: Occurrence,
  why: (userId: string) => string | undefined,
): Decision {
  const holding = byUser.get(userId)
  const bury = (): undefined => void tombstones.add(sagaId)
  switch (what) {
    case 'sign-up-started':
      if (tombstones.has(sagaId)) return undefined
      if (holding) return { refuse: 'user_exists' }
      byUser.set(userId, { madeBy: sagaId, heldBy: null })
      return { effect: 'create' }
    case 'sign-up-failed':
      if (holding?.madeBy !== sagaId) return bury()
      byUser.delete(userId)
      return { effect: 'undo' }
    case 'deletion-started': {
      if (tombstones.has(sagaId)) return undefined
      if (!holding) return { refuse: 'user_unknown' }
      const reason = holding.heldBy === null ? why(userId) : 'deletion_running'
      if (reason !== undefined) return { refuse: reason }
      byUser.set(userId, { madeBy: holding.madeBy, heldBy: sagaId })
      return { effect: 'hold' }
    }
    case 'deletion-refused':
      if (holding?.heldBy !== sagaId) return bury()
      byUser.set(userId, { madeBy: holding.madeBy, heldBy: null })
      return { effect: 'release' }
    case 'deleted':
      if (holding?.heldBy !== sagaId) return undefined
      byUser.delete(userId)
      return { effect: 'erase' }
  }
}

/** A received event of the user service as an occurrence. Throws TypeError for one without a saga, or of another kind. */
export function occurrence(event: { type: string; sagaId?: string; data: { userId: string } }): Occurrence {
  const what = event.type.replace(/^user\./, '')
  if (event.sagaId === undefined || !isHappening(what)) throw new TypeError(`${event.type} is no step of a user's saga`)
  return { userId: event.data.userId, sagaId: event.sagaId, what }
}

const HAPPENINGS = ['sign-up-started', 'sign-up-failed', 'deletion-started', 'deletion-refused', 'deleted'] as const
const isHappening = (text: string): text is Happening => HAPPENINGS.some((happening) => happening === text)
