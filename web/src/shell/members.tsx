import { useState } from 'react'
import { Navigate, Outlet, useLocation } from 'react-router'
import { wasSessionLost } from '../renewal.ts'
import { useMe, useSessionTrouble } from '../state/session.ts'
import { Problem } from '../parts/problem.tsx'

/** Pages for those who are logged in; others are asked to, and come back. */
export function Members() {
  const me = useMe()
  const { error, retry } = useSessionTrouble()
  const { pathname, search } = useLocation()
  const [wasIn, setWasIn] = useState(false)
  if (me && !wasIn) setWasIn(true)
  if (me) return <Outlet />
  // Whoever has logged out here is done; others are asked to log in.
  if (me === null && wasIn && !wasSessionLost()) return <Navigate to="/" replace />
  if (me === null) return <Navigate to={`/log-in?to=${encodeURIComponent(pathname + search)}`} replace />
  return error ? (
    <main id="main" className="wrap">
      <Problem error={error} retry={retry} />
    </main>
  ) : null
}
