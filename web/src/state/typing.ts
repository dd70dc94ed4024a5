import { useEffect } from 'react'
import { useQuery } from '@tanstack/react-query'
import { queries } from './queries.ts'

/** Nobody says that they have stopped. */
const LASTS_MS = 6_000

type Typing = Record<string, number>

const ALL = ['typing'] as const

function change(roomId: string, userId: string, until: number): void {
  queries.setQueryData<Record<string, Typing>>(ALL, (all = {}) => ({
    ...all,
    [roomId]: { ...all[roomId], [userId]: until },
  }))
}

export const heardTyping = (roomId: string, userId: string): void => change(roomId, userId, Date.now() + LASTS_MS)
export function stoppedTyping(roomId: string, userId: string): void {
  if (queries.getQueryData<Record<string, Typing>>(ALL)?.[roomId]?.[userId]) change(roomId, userId, 0)
}

/** Who is typing, by room; drawn again when one of them has stopped. */
export function useTyping(): (roomId: string) => string[] {
  const { data = {}, refetch } = useQuery<Record<string, Typing>>({
    queryKey: ALL,
    // Asked again, it is the same as before without those who have stopped.
    queryFn: () => stillTyping(queries.getQueryData<Record<string, Typing>>(ALL) ?? {}),
    enabled: false,
    staleTime: Infinity,
  })
  const next = Math.min(
    ...Object.values(data)
      .flatMap((typing) => Object.values(typing))
      .filter((until) => until > 0),
  )
  useEffect(() => {
    if (next === Infinity) return
    const timer = setTimeout(() => void refetch(), Math.max(0, next - Date.now()) + 50)
    return () => clearTimeout(timer)
  }, [next, refetch])
  return (roomId) =>
    Object.entries(data[roomId] ?? {})
      .filter(([, until]) => until > 0)
      .map(([userId]) => userId)
}

function stillTyping(all: Record<string, Typing>): Record<string, Typing> {
  const now = Date.now()
  return Object.fromEntries(
    Object.entries(all).map(([roomId, typing]) => [
      roomId,
      Object.fromEntries(Object.entries(typing).filter(([, until]) => until > now)),
    ]),
  )
}
