import { useQuery } from '@tanstack/react-query'
import { api, ApiError } from '../api.ts'
import { forgetBegun } from '../begun.ts'
import type { Language, Profile } from '../contract.ts'
import { mayHaveSession, sessionBegan, sessionOver } from '../renewal.ts'
import { queries } from './queries.ts'

const ME = ['me'] as const

async function askWhoIAm(): Promise<Profile | null> {
  if (!mayHaveSession()) return null
  try {
    return await api('GET /api/me')
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null
    throw error
  }
}

const options = { queryKey: ME, queryFn: askWhoIAm, staleTime: Infinity } as const

/** Who is logged in: null for nobody, undefined while that is being asked. */
export const useMe = (): Profile | null | undefined => useQuery(options).data

/** Begins to ask who is logged in. */
export const askMe = (): void => void queries.prefetchQuery(options)

/** Why it is not known who is logged in, and what asks again. */
export function useSessionTrouble(): { error: unknown; retry: () => void } {
  const { error, refetch } = useQuery(options)
  return { error, retry: () => void refetch() }
}

export function setMe(me: Profile): void {
  queries.setQueryData(ME, me)
}

/** From now on the browser is this user's. */
function began(user: Profile): void {
  forgetOthers()
  setMe(user)
}

/** `locale`: the language that somebody new has signed up in, which the profile does not know yet. Throws ApiError. */
export async function logIn(username: string, password: string, locale?: Language): Promise<void> {
  const session = await api('POST /api/sessions', { body: { username, password } })
  sessionBegan()
  // It can be set later too.
  const user = locale && (await api('PATCH /api/me', { body: { locale } }).catch(() => undefined))
  began(user ?? session.user)
}

/** Ends this device's session, or those of all devices. */
export async function logOut(everywhere: boolean): Promise<void> {
  await api(everywhere ? 'DELETE /api/sessions/all' : 'DELETE /api/sessions')
  ended()
}

/** From now on the browser is nobody's. */
export function ended(): void {
  sessionOver()
  queries.setQueryData(ME, null)
  forgetOthers()
}

/** While the account is being deleted its owner is asked nothing and told nothing: all of that would be refused, and look like a log-out. */
export function suspend(): void {
  queries.setQueryData(ME, null)
}

/** The account stays after all. */
export function resume(): void {
  void queries.resetQueries({ queryKey: ME })
}

/** What one user may see is not another's to see. */
function forgetOthers(): void {
  forgetBegun()
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== ME[0] })
}

// Another tab has logged in or out.
window.addEventListener('storage', () => {
  if (mayHaveSession() === (queries.getQueryData(ME) != null)) return
  if (mayHaveSession()) void queries.invalidateQueries({ queryKey: ME })
  else ended()
})
