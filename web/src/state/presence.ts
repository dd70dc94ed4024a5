import { useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import type { Presence } from '../contract.ts'
import { queries } from './queries.ts'

const AT_MOST = 100
/** A friend of a moment ago may not be known as one yet. */
const AGAIN_MS = 1_500
const AGAIN_AT_MOST = 5

/** Whether these users are there, as far as one may know: of friends, and of members of shared rooms. */
export function usePresence(userIds: readonly string[]): (userId: string) => Presence | undefined {
  const ids = [...new Set(userIds)].toSorted().slice(0, AT_MOST)
  const { data } = useQuery({
    queryKey: ['presence', ids.join()],
    queryFn: async ({ signal }) => (await api('GET /api/presence', { query: { userIds: ids.join() }, signal })).items,
    enabled: ids.length > 0,
    staleTime: 60_000,
    refetchInterval({ state: { data: known, dataUpdateCount } }) {
      const areMissing = known !== undefined && known.length < ids.length
      return areMissing && dataUpdateCount <= AGAIN_AT_MOST ? AGAIN_MS : false
    },
  })
  return (userId) => data?.find((one) => one.userId === userId)
}

export function heardOfPresence(presence: Presence): void {
  for (const [key, known] of queries.getQueriesData<Presence[]>({ queryKey: ['presence'] })) {
    if (!known || !String(key[1]).includes(presence.userId)) continue
    queries.setQueryData<Presence[]>(key, [...known.filter(({ userId }) => userId !== presence.userId), presence])
  }
}
