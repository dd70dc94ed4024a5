import { useEffect, useState } from 'react'

const LATE_MS = 200

/** What is shown only when there is something to wait for: not for what comes at once. */
export function Late({ children }: { children: React.ReactNode }) {
  const [isLate, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), LATE_MS)
    return () => clearTimeout(timer)
  }, [])
  return isLate ? children : null
}

/** Rows in the shape of what comes. */
export function RowSkeletons({ count = 6, label }: { count?: number; label: string }) {
  return (
    <Late>
      <div role="status" aria-label={label} className="row-skeletons">
        {Array.from({ length: count }, (_, i) => (
          <div key={i} className="row-skeleton">
            <span className="skeleton round" />
            <span className="skeleton" />
            <span className="skeleton short" />
          </div>
        ))}
      </div>
    </Late>
  )
}
