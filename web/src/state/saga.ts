import { createLive } from '@pando/live'
import { useEffect, useState } from 'react'
import { api, ApiError } from '../api.ts'
import type { Saga } from '../contract.ts'
import { useLanguage } from '../language.ts'

export const hasEnded = ({ status }: Pick<Saga, 'status'>): boolean => status === 'completed' || status === 'failed'

/**
 * What is known of something that runs over several services, as it changes: newer and newer versions, until it has ended.
 * `isGone`: there is no such thing (any more), or it is not one's to see.
 */
export function useSaga(type: string, id: string, first?: Saga): { saga: Saga | undefined; isGone: boolean } {
  const [saga, setSaga] = useState(first)
  const [isGone, setGone] = useState(false)
  useEffect(() => {
    const take = (view: Saga): void => {
      setSaga((known) => (known && known.version >= view.version ? known : view))
      if (hasEnded(view)) live.stop()
    }
    const fetched = async (signal?: AbortSignal): Promise<void> => {
      try {
        take(await api('GET /api/sagas/{type}/{id}', { path: { type, id }, ...(signal && { signal }) }))
      } catch (error) {
        if (!(error instanceof ApiError) || error.isTransient) throw error
        live.stop()
        setGone(true)
      }
    }
    const live = createLive({ url: `/api/sagas/${type}/${id}/events`, onUnauthenticated: () => fetched() })
    live.load(({ signal }) => fetched(signal))
    // It has one kind of event, which is not one of the user's stream.
    live.on('*', (event: { type: string; data: unknown }) => {
      if (event.type === 'saga') take(event.data as Saga)
    })
    live.start()
    return () => live.stop()
  }, [type, id])
  return { saga, isGone }
}

/** Names in a sentence: a, b and c. */
export function useListOf(): (names: string[]) => string {
  const language = useLanguage()
  return (names) => new Intl.ListFormat(language).format(names)
}
