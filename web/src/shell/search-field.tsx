import { useEffect, useRef } from 'react'
import { useLocation, useNavigate, useSearchParams } from 'react-router'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'

/** Searches the posts; `/` on any page leads here. */
export function SearchField() {
  const say = useSay()
  const input = useRef<HTMLInputElement>(null)
  const navigate = useNavigate()
  const { pathname } = useLocation()
  const [search] = useSearchParams()
  const asked = pathname === '/' ? (search.get('query') ?? '') : ''

  useEffect(() => {
    if (input.current) input.current.value = asked
  }, [asked])
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const isWriting = event.target instanceof Element && event.target.closest('input, textarea, select, dialog[open]')
      if (event.key !== '/' || isWriting || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      input.current?.focus()
    }
    window.addEventListener('keydown', listen)
    return () => window.removeEventListener('keydown', listen)
  }, [])

  return (
    <form
      className="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        const query = input.current!.value.trim()
        const next = new URLSearchParams(pathname === '/' ? search : undefined)
        if (query) next.set('query', query)
        else next.delete('query')
        void navigate({ pathname: '/', search: next.toString() })
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label={say('field.search')}
        placeholder={say('search.placeholder')}
        maxLength={100}
      />
    </form>
  )
}
