import { useEffect, useRef } from 'react'
import { useTitle } from '../shell/unread.ts'

let isFirst = true

/** The one h1 of a page, and its title. On a new page the focus goes to it. */
export function Heading({
  title,
  children = title,
  hidden = false,
  pageTitle = title,
}: {
  title: string
  children?: React.ReactNode
  hidden?: boolean
  pageTitle?: string
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useTitle(pageTitle)
  useEffect(() => {
    // At the first page the browser has its own place to start from.
    if (!isFirst && !document.activeElement?.closest('dialog')) heading.current?.focus({ preventScroll: true })
    isFirst = false
  }, [])
  return (
    <h1 ref={heading} tabIndex={-1} className={hidden ? 'hush' : undefined}>
      {children}
    </h1>
  )
}
