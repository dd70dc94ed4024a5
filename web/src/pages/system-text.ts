import type { Message } from '../contract.ts'
import { firstKey, type Say } from '../language.ts'

/** What a room says of itself. Some of it may be newer than this app. */
export function systemText({ system }: Message, myId: string, say: Say): string {
  const {
    code = '',
    users = [],
    by,
  } = (system ?? {}) as {
    code?: string
    users?: { id: string; displayName: string }[]
    by?: { id: string; displayName: string }
  }
  const isOnlyMe = users.length > 0 && users.every(({ id }) => id === myId)
  const names = users.map(({ displayName }) => displayName).join(', ')
  return say(firstKey(...(isOnlyMe ? [`system.${code}.me`] : []), `system.${code}`, 'system.other'), {
    names,
    name: by?.displayName ?? '',
  })
}
