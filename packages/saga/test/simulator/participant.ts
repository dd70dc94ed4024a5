// What a participant of a sign-up and a deletion decides, as Pando's chat and customer service do. Pure.

/** A user's row: the sign-up that made it, the deletion that holds it suspended, and money, with which nobody is deleted. */
export interface Row {
  readonly madeBy: string
  readonly heldBy: string | null
  readonly money: number
}

/** What a participant keeps: rows by user, and the ids of sagas whose failure it heard of before their start. */
export interface Holdings {
  readonly rows: ReadonlyMap<string, Row>
  readonly tombstones: ReadonlySet<string>
}

export interface Happening {
  saga: string
  type: 'sign-up' | 'account-deletion'
  what: 'starts' | 'completes' | 'fails'
  user: string
}

export type Answer = { done: true } | { undone: true } | { failed: string } | undefined

export type Decide = (before: Holdings, happening: Happening) => { after: Holdings; answer: Answer }

/**
 * Undoes only what this very saga made or holds. A failure that comes before its start leaves a tombstone, so that the late start does
 * nothing; `says`: whether it tells that there is nothing to undo, or lets the deadline end the wait.
 */
export const decider =
  ({ says }: { says: boolean }): Decide =>
  (before, { saga, type, what, user }) => {
    const row = before.rows.get(user)
    const put = (next: Row, answer: Answer) => ({
      after: { ...before, rows: new Map([...before.rows, [user, next]]) },
      answer,
    })
    const remove = (answer: Answer) => {
      const rows = new Map(before.rows)
      rows.delete(user)
      return { after: { ...before, rows }, answer }
    }
    const refuse = (failed: string) => ({ after: before, answer: { failed } })
    const nothing = { after: before, answer: undefined }
    const bury = () => ({
      after: { ...before, tombstones: new Set([...before.tombstones, saga]) },
      answer: says ? ({ undone: true } as const) : undefined,
    })
    if (what === 'starts' && before.tombstones.has(saga)) return nothing
    switch (`${type} ${what}` as const) {
      case 'sign-up starts':
        return row ? refuse('user_exists') : put({ madeBy: saga, heldBy: null, money: 0 }, { done: true })
      case 'sign-up fails':
        return row?.madeBy === saga ? remove({ undone: true }) : bury()
      case 'account-deletion starts':
        if (!row) return refuse('user_unknown')
        if (row.heldBy !== null) return refuse('deletion_running')
        return row.money > 0 ? refuse('wallet_not_empty') : put({ ...row, heldBy: saga }, { done: true })
      case 'account-deletion fails':
        return row?.heldBy === saga ? put({ ...row, heldBy: null }, { undone: true }) : bury()
      case 'account-deletion completes':
        return row?.heldBy === saga ? remove(undefined) : nothing
      case 'sign-up completes':
        return nothing
    }
  }
