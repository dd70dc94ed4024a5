import { useEffect, useState } from 'react'
import { agoOf, fullTimeOf } from '../format.ts'
import { useLanguage, useSay } from '../language.ts'

const EVERY_MS = 30_000

/** How long ago; all of it as a title. */
export function Time({ at }: { at: string }) {
  const say = useSay()
  const language = useLanguage()
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), EVERY_MS)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={at} title={fullTimeOf(at, language)}>
      {agoOf(at, now, language, say)}
    </time>
  )
}
