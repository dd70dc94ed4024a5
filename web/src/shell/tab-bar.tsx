import { NavLink } from 'react-router'
import { type Key, useSay } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { useMe } from '../state/session.ts'
import { useUnread } from './unread.ts'

export function TabBar() {
  const say = useSay()
  const me = useMe()
  const { chats, notifications } = useUnread()
  if (!me) return null
  const tabs: [to: string, key: Key, icon: IconName, count: number][] = [
    ['/', 'shell.browse', 'home', 0],
    ['/rooms', 'shell.chats', 'chat', chats],
    ['/posts/new', 'shell.sell', 'plus', 0],
    ['/notifications', 'shell.notifications', 'bell', notifications],
    ['/me', 'shell.me', 'person', 0],
  ]
  return (
    <nav className="tabs" aria-label={say('shell.nav')}>
      <ul>
        {tabs.map(([to, key, icon, count]) => (
          <li key={to}>
            <NavLink to={to} end={to === '/'} className={icon === 'plus' ? 'sell' : ''}>
              <Icon name={icon} />
              <span>{say(key)}</span>
              <Badge count={count} />
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  )
}
