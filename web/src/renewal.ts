// The tokens are cookies that no script can read. What this app keeps, for all tabs, is when the access token was got: it is renewed shortly
// before it runs out, so that a public page is not shown as to a stranger, and no request is made in vain.

const KEY = 'pando.renewed-at'
const LOST = 'pando.logged-out'
/** Access tokens are good for 15 minutes. By this machine's own clock from when it was got, for its time of day may be wrong. */
const GOOD_MS = 14 * 60_000

/** Whether this browser has been logged in, and not out since. */
export const mayHaveSession = (): boolean => localStorage.getItem(KEY) !== null

/** To be called with every new access token. */
export function sessionBegan(): void {
  localStorage.removeItem(LOST)
  localStorage.setItem(KEY, String(Date.now()))
}

/** To be called when there is none any more. */
export const sessionOver = (): void => localStorage.removeItem(KEY)

/** To be called when the server says that there is none any more. */
export function sessionLost(): void {
  if (mayHaveSession()) localStorage.setItem(LOST, 'yes')
  sessionOver()
}

/** Whether the last session was ended elsewhere, or ran out. */
export const wasSessionLost = (): boolean => localStorage.getItem(LOST) !== null

function isFresh(): boolean {
  const age = Date.now() - Number(localStorage.getItem(KEY))
  return age >= 0 && age < GOOD_MS
}

/** `unknown`: whoever renews tokens could not be asked, or had trouble; there may still be a session. */
export type Renewal = 'good' | 'none' | 'unknown'

let renewing: Promise<Renewal> | undefined

/**
 * Resolves with whether there is a good access token, as far as is known here; `none`: there is no session. `refused`: the server has just
 * said that the token is not good. One request for all that ask, of all tabs.
 */
export function renewed(refused: boolean): Promise<Renewal> {
  if (!refused && (!mayHaveSession() || isFresh())) return Promise.resolve(known())
  renewing ??= renew(localStorage.getItem(KEY)).finally(() => (renewing = undefined))
  return renewing
}

const known = (): Renewal => (mayHaveSession() ? 'good' : 'none')

function renew(before: string | null): Promise<Renewal> {
  return navigator.locks.request(KEY, async () => {
    // Another tab was faster.
    if (localStorage.getItem(KEY) !== before) return known()
    try {
      const { ok, status } = await fetch('/api/sessions/refresh', { method: 'POST' })
      if (ok) sessionBegan()
      if (status === 401) sessionLost()
      return ok ? 'good' : status === 401 ? 'none' : 'unknown'
    } catch {
      return 'unknown'
    }
  })
}
