import { useEffect } from 'react'
import { Outlet, ScrollRestoration, useLocation, useNavigation } from 'react-router'
import { setLanguage, useLanguage, useSay } from '../language.ts'
import { startLive } from '../state/live.ts'
import { readNotification, useNotifications } from '../state/notifications.ts'
import { startOutbox } from '../state/outbox.ts'
import { useMe } from '../state/session.ts'
import { Connection } from './connection.tsx'
import { TabBar } from './tab-bar.tsx'
import { Toasts } from './toasts.tsx'
import { TopBar } from './top-bar.tsx'

/** Pages that stand alone, without the bars. */
const BARE = /^\/(sign-up|log-in|account-deletion)$/
/** Pages that have their own bar at the bottom on phones. */
const DOCKED = /^\/(rooms\/.+|posts\/(?!new$)[^/]+)$/

/** What is on every page: the bars, the stream, and what is said for a moment. */
export function Shell() {
  const say = useSay()
  const me = useMe()
  const language = useLanguage()
  const { pathname } = useLocation()
  const isLoading = useNavigation().state === 'loading'
  const myId = me?.id
  const myLanguage = me?.locale

  useEffect(() => {
    if (myId === undefined) return
    const stops = [startOutbox(myId), startLive(myId)]
    return () => stops.forEach((stop) => stop())
  }, [myId])
  useEffect(() => {
    if (myLanguage !== undefined && myLanguage !== language) void setLanguage(myLanguage)
    // Only when the profile says something new: the language may be changed here first.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [myId, myLanguage])

  // Whoever is where a notification leads has seen what it is about.
  const { data: notifications } = useNotifications()
  useEffect(() => {
    for (const { id, url, readAt } of notifications?.items ?? [])
      if (readAt === null && url === pathname) readNotification(id).catch(() => {})
  }, [notifications, pathname])

  const isBare = BARE.test(pathname)
  const isDocked = DOCKED.test(pathname)
  return (
    <div className={`app${isBare ? ' bare' : ''}${isDocked ? ' docked' : ''}`} aria-busy={isLoading}>
      <a className="skip" href="#main">
        {say('shell.skip')}
      </a>
      {!isBare && <TopBar />}
      <Connection />
      <Outlet />
      {!isBare && !isDocked && <TabBar />}
      <Toasts />
      <ScrollRestoration />
    </div>
  )
}
