// What is shown while it fills: on a terminal one line that moves, and everywhere one line for each kind of thing.

/** Whether it was made now, was there from an earlier run, or cannot be any more: what it needs has changed since. */
export type Outcome = 'new' | 'there' | 'left out'

export interface Progress {
  /** Runs it for each of them, one after the other. */
  each<T>(what: string, items: readonly T[], run: (item: T) => Promise<Outcome>): Promise<void>
  waits(seconds: number): void
}

export interface Terminal {
  isTTY?: boolean
  write(text: string): unknown
}

const CLEAR = '\r\u001b[2K'

export function createProgress(out: Terminal): Progress {
  let now = ''
  const moving = (text: string): void => {
    if (out.isTTY) out.write(`${CLEAR}${text}`)
  }
  const line = (text: string): void => void out.write(`${out.isTTY ? CLEAR : ''}${text}\n`)
  return {
    async each(what, items, run) {
      const counts = { new: 0, there: 0, 'left out': 0 }
      for (const [i, item] of items.entries()) {
        now = `${what}: ${i} of ${items.length}`
        moving(now)
        counts[await run(item)]++
      }
      now = `${what}: done`
      const rest = counts['left out'] > 0 ? `, ${counts['left out']} left out` : ''
      line(`${what}: ${counts.new} new, ${counts.there} there already${rest}`)
    },
    waits(seconds) {
      if (out.isTTY) moving(`${now}, on in ${seconds} s (Pando limits requests)`)
      else line(`${now}, on in ${seconds} s (Pando limits requests)`)
    },
  }
}
