import { QueryCache, QueryClient, MutationCache } from '@tanstack/react-query'
import { ApiError } from '../api.ts'
import { sessionLost } from '../renewal.ts'

/** Whoever asks for something that needs a session and has none any more is nobody: the pages show that. */
function onError(error: unknown): void {
  if (!(error instanceof ApiError) || error.code !== 'unauthenticated') return
  sessionLost()
  queries.setQueryData(['me'], null)
}

/** The one cache of what the server has said. The live stream keeps what it tells of up to date, see live.ts. */
export const queries = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.isTransient,
    },
  },
})

/** Calls `act` as soon as the cache is such that `ask` holds: now, or after a change. Returns what ends the wait. */
export function onceCached(ask: () => boolean, act: () => void): () => void {
  if (ask()) {
    act()
    return () => {}
  }
  const stop = queries.getQueryCache().subscribe(() => {
    if (!ask()) return
    stop()
    act()
  })
  return stop
}
