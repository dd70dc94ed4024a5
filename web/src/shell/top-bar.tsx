import { Link, NavLink, useLocation } from 'react-router'
import { useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Badge } from '../parts/badge.tsx'
import { Brand } from '../parts/brand.tsx'
import { Icon } from '../parts/icon.tsx'
import { useMe } from '../state/session.ts'
import { SearchField } from './search-field.tsx'
import { useUnread } from './unread.ts'

export function TopBar() {
  const say = useSay()
  const me = useMe()
  const { chats, notifications } = useUnread()
  const { pathname } = useLocation()
  if (pathname.startsWith('/admin')) return null
  return (
    <header className="top">
      <div className="wrap">
        <Brand />
        <SearchField />
        <nav className={`nav${me ? ' only-wide' : ''}`} aria-label={say('shell.nav')}>
          <NavLink className="only-wide" to="/" end>
            {say('shell.browse')}
          </NavLink>
          {me ? (
            <>
              <NavLink className="only-wide" to="/rooms">
                {say('shell.chats')}
                <Badge count={chats} />
              </NavLink>
              <NavLink className="only-wide" to="/notifications">
                {say('shell.notifications')}
                <Badge count={notifications} />
              </NavLink>
              <NavLink className="button tiny only-wide" to="/posts/new">
                <Icon name="plus" small />
                {say('shell.sell')}
              </NavLink>
              <NavLink className="only-wide" to="/me" aria-label={say('shell.me')}>
                <Avatar user={me} />
              </NavLink>
            </>
          ) : (
            me === null && (
              <>
                <NavLink to="/log-in">{say('logIn.button')}</NavLink>
                <Link className="button tiny" to="/sign-up">
                  {say('signUp.button')}
                </Link>
              </>
            )
          )}
        </nav>
      </div>
    </header>
  )
}
