import { useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import { allOf } from '../state/rooms.ts'

const EVERY_MS = 5_000
export const PARKED = ['admin', 'parked'] as const

/** Keys whose events wait for a person. */
export const useParked = () =>
  useQuery({
    queryKey: PARKED,
    queryFn: ({ signal }) => allOf((cursor) => api('GET /api/admin/parked', { query: { cursor, limit: 100 }, signal })),
    refetchInterval: EVERY_MS,
  })
