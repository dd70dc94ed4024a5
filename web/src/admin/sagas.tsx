import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { api } from '../api.ts'
import type { OwnedSaga, SagaStatus } from '../contract.ts'
import { Heading } from '../parts/heading.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { searchWith } from '../search.ts'
import { shortIdOf } from './clock.ts'
import { isOverdue, SagaTag } from './saga-tag.tsx'
import { useWords } from './words.ts'

const EVERY_MS = 5_000
const TYPES = ['sign-up', 'account-deletion', 'post-deletion']
const STATUSES: SagaStatus[] = ['running', 'compensating', 'completed', 'failed']

/** The step that it waits for, or that made it fail. */
function stepOf({ steps }: OwnedSaga): string {
  const by = (status: string): string[] => Object.keys(steps).filter((step) => steps[step]!.status === status)
  return [...by('failed').map((step) => `${step}: ${steps[step]!.reason ?? ''}`), ...by('pending')].join(', ')
}

/** All sagas, those that need a look first; j and k go through them. */
export function Page() {
  const words = useWords()
  const navigate = useNavigate()
  const [search, setSearch] = useSearchParams()
  const [isHeld, setHeld] = useState(false)
  const [now, setNow] = useState(Date.now)
  const table = useRef<HTMLTableSectionElement>(null)
  const type = search.get('type') ?? ''
  const status = STATUSES.find((one) => one === search.get('status'))
  const sagas = useInfiniteQuery({
    queryKey: ['admin', 'sagas', type, status],
    queryFn: ({ pageParam, signal }) =>
      api('GET /api/admin/sagas', { query: { type, status, cursor: pageParam, limit: 50 }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    // What moves is hard to click on.
    refetchInterval: isHeld ? false : EVERY_MS,
  })
  useEffect(() => setNow(Date.now()), [sagas.dataUpdatedAt])
  useEffect(() => {
    const listen = ({ key, target }: KeyboardEvent): void => {
      if (target instanceof Element && target.closest('input, select, textarea')) return
      const by = key === 'j' ? 1 : key === 'k' ? -1 : 0
      if (by === 0) return
      const links = [...(table.current?.querySelectorAll('a') ?? [])]
      const at = links.findIndex((link) => link === document.activeElement)
      links[at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]?.focus()
    }
    window.addEventListener('keydown', listen)
    return () => window.removeEventListener('keydown', listen)
  }, [])
  const set = (name: string, value: string): void =>
    setSearch((before) => searchWith(before, name, value), { replace: true })
  const items = sagas.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <main id="main" className="wrap page">
      <Heading title={words.sagas} />
      <div className="filters">
        {(
          [
            ['type', type, TYPES],
            ['status', status ?? '', STATUSES],
          ] as const
        ).map(([name, value, options]) => (
          <label key={name}>
            {words[name]}
            <select value={value} onChange={({ currentTarget }) => set(name, currentTarget.value)}>
              <option value="">{words.all}</option>
              {options.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </label>
        ))}
        <span className="quiet-text">{isHeld && words.paused}</span>
      </div>
      {sagas.isError && !sagas.data ? (
        <Problem error={sagas.error} retry={() => void sagas.refetch()} />
      ) : (
        <div className="table-frame" onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
          <table>
            <thead>
              <tr>
                {[words.type, words.status, words.step, words.age, words.id].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody ref={table}>
              {items.map((saga) => (
                <tr
                  key={`${saga.type} ${saga.id}`}
                  onClick={() => void navigate(`/admin/sagas/${saga.type}/${saga.id}`)}
                >
                  <td>{saga.type}</td>
                  <td>
                    <SagaTag status={saga.status} />{' '}
                    {isOverdue(saga, now) && <span className="tag bad">{words.overdue}</span>}
                  </td>
                  <td>{stepOf(saga) || words.nothing}</td>
                  <td>
                    <Time at={saga.startedAt} />
                  </td>
                  <td className="mono">
                    <Link
                      className="link"
                      to={`/admin/sagas/${saga.type}/${saga.id}`}
                      onClick={(event) => event.stopPropagation()}
                    >
                      {shortIdOf(saga.id)}
                    </Link>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {sagas.data && items.length === 0 && <p className="quiet-text">{words.noneText}</p>}
        </div>
      )}
      {sagas.hasNextPage && (
        <button type="button" className="button quiet" onClick={() => void sagas.fetchNextPage()}>
          {words.more}
        </button>
      )}
    </main>
  )
}
