import { useEffect } from 'react'
import { useNotifications } from '../state/notifications.ts'
import { unreadOf, useRooms } from '../state/rooms.ts'

/** What the badges show. */
export function useUnread(): { chats: number; notifications: number } {
  return { chats: unreadOf(useRooms()), notifications: useNotifications().data?.unread ?? 0 }
}

/** Titles the page, with what is unread in front. */
export function useTitle(title: string): void {
  const { chats, notifications } = useUnread()
  const unread = chats + notifications
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${title ? `${title} · ` : ''}Pando`
  }, [title, unread])
}
