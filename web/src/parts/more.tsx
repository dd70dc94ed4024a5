import { useEffect, useRef } from 'react'
import { useSay } from '../language.ts'

/** At the end of a list: fetches more of it before one gets there; by hand where that is not seen. */
export function More({ onMore, busy }: { onMore: () => void; busy: boolean }) {
  const say = useSay()
  const end = useRef<HTMLDivElement>(null)
  const more = useRef(onMore)
  useEffect(() => {
    more.current = onMore
  })
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) more.current()
      },
      { rootMargin: '800px' },
    )
    observer.observe(end.current!)
    return () => observer.disconnect()
  }, [busy])
  return (
    <div ref={end} className="more">
      <button type="button" className="button quiet" disabled={busy} onClick={onMore}>
        {say(busy ? 'loading' : 'more')}
      </button>
    </div>
  )
}
