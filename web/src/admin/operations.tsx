import '../styles/admin.css'
import { Link, NavLink, Outlet } from 'react-router'
import { Badge } from '../parts/badge.tsx'
import { Brand } from '../parts/brand.tsx'
import { Heading } from '../parts/heading.tsx'
import { useMe } from '../state/session.ts'
import { useParked } from './parked-keys.ts'
import { useWords } from './words.ts'

/** The operator's pages. The server decides who sees them; others are told that they are not for them. */
export function Page() {
  const words = useWords()
  const isAdmin = useMe()?.role === 'admin'
  return (
    <>
      <header className="top">
        <div className="wrap">
          <Brand />
          <nav className="nav operator" aria-label={words.operations}>
            <NavLink to="/admin/sagas">{words.sagas}</NavLink>
            {isAdmin && (
              <NavLink to="/admin/parked">
                {words.parked}
                <ParkedCount />
              </NavLink>
            )}
            <NavLink to="/admin/lag">{words.lag}</NavLink>
          </nav>
          <Link className="link" to="/">
            {words.back}
          </Link>
        </div>
      </header>
      {isAdmin ? (
        <Outlet />
      ) : (
        <main id="main" className="wrap empty">
          <Heading title={words.refused} />
        </main>
      )}
    </>
  )
}

function ParkedCount() {
  return <Badge count={useParked().data?.length ?? 0} />
}
