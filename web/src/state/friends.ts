import { useMutation, useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import { queries } from './queries.ts'
import { allOf } from './rooms.ts'

const FRIENDS = ['friends'] as const
const BLOCKS = ['blocks'] as const

export const useFriends = () =>
  useQuery({
    queryKey: FRIENDS,
    queryFn: ({ signal }) => allOf((cursor) => api('GET /api/friends', { query: { cursor, limit: 100 }, signal })),
  })

export const useBlocks = () =>
  useQuery({
    queryKey: BLOCKS,
    queryFn: ({ signal }) => allOf((cursor) => api('GET /api/blocks', { query: { cursor, limit: 100 }, signal })),
  })

export const useFriendship = () =>
  useMutation({
    mutationFn: ({ userId, wanted }: { userId: string; wanted: boolean }) =>
      api(wanted ? 'PUT /api/friends/{userId}' : 'DELETE /api/friends/{userId}', { path: { userId } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: FRIENDS }),
  })

export const useBlocking = () =>
  useMutation({
    mutationFn: ({ userId, wanted }: { userId: string; wanted: boolean }) =>
      api(wanted ? 'PUT /api/blocks/{userId}' : 'DELETE /api/blocks/{userId}', { path: { userId } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: BLOCKS }),
  })
