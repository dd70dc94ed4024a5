import { useEffect, useState } from 'react'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { useLiveState } from '../state/live.ts'
import { useMe } from '../state/session.ts'

const GRACE_MS = 2_000

/** One strip for the whole app, while there is no connection: at once when the browser says so, else after two seconds. */
export function Connection() {
  const say = useSay()
  const isOffline = useOffline()
  const state = useLiveState()
  const isDown = useMe() != null && state === 'offline'
  const [isLate, setLate] = useState(false)
  const [wasShown, setShown] = useState(false)

  useEffect(() => {
    if (!isDown) return setLate(false)
    const timer = setTimeout(() => setLate(true), GRACE_MS)
    return () => clearTimeout(timer)
  }, [isDown])
  const shown = isOffline ? 'connection.offline' : isDown && isLate ? 'connection.again' : undefined
  useEffect(() => {
    if (shown) return setShown(true)
    if (!wasShown) return
    const timer = setTimeout(() => setShown(false), GRACE_MS)
    return () => clearTimeout(timer)
  }, [shown, wasShown])

  return (
    <div className={`connection${shown ? ' shown' : ''}`} role="status" aria-label={say('connection.label')}>
      {shown ? (
        <p className="strip">
          <Icon name={isOffline ? 'off' : 'retry'} small spins={!isOffline} />
          <span>{say(shown)}</span>
        </p>
      ) : (
        wasShown && <span className="hush">{say('connection.back')}</span>
      )}
    </div>
  )
}

export function useOffline(): boolean {
  const [isOffline, setOffline] = useState(!navigator.onLine)
  useEffect(() => {
    const listen = (): void => setOffline(!navigator.onLine)
    window.addEventListener('online', listen)
    window.addEventListener('offline', listen)
    return () => {
      window.removeEventListener('online', listen)
      window.removeEventListener('offline', listen)
    }
  }, [])
  return isOffline
}
