import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import { Link, useParams } from 'react-router'
import { api } from '../api.ts'
import type { SagaWithHistory } from '../contract.ts'
import { useLanguage } from '../language.ts'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { Problem } from '../parts/problem.tsx'
import { STEP_ICONS } from '../parts/step-icons.ts'
import { useListOf } from '../state/saga.ts'
import { exactDateOf, shortIdOf, spanOf } from './clock.ts'
import { EventInspector } from './event-inspector.tsx'
import { laneRowsOf } from './lane-rows.ts'
import { SagaLanes } from './saga-lanes.tsx'
import { isOverdue, SagaTag } from './saga-tag.tsx'
import { TrueScale } from './true-scale.tsx'
import { useWords } from './words.ts'

const RUNNING_EVERY_MS = 1_000

export function Page() {
  const { type = '', id = '' } = useParams()
  const { data, error, refetch } = useQuery({
    queryKey: ['admin', 'saga', type, id],
    queryFn: ({ signal }) => api('GET /api/admin/sagas/{type}/{id}', { path: { type, id }, signal }),
    refetchInterval: ({ state }) => (state.data && state.data.endedAt === null ? RUNNING_EVERY_MS : false),
  })
  return (
    <main id="main" className="wrap page">
      {data ? <Shown saga={data} /> : error && <Problem error={error} retry={() => void refetch()} />}
    </main>
  )
}

function Shown({ saga }: { saga: SagaWithHistory }) {
  const words = useWords()
  const { columns, rows } = useMemo(() => laneRowsOf(saga), [saga])
  const refused = rows.findIndex(({ look }) => look === 'bad')
  const [picked, setPicked] = useState<number>()
  const chosen = Math.min(picked ?? (refused === -1 ? rows.length - 1 : refused), rows.length - 1)
  const row = rows[chosen]
  return (
    <>
      <nav className="crumbs" aria-label={words.sagas}>
        <Link to="/admin/sagas">{words.sagas}</Link>
        <Icon name="forward" small />
        <Link to={`/admin/sagas?type=${saga.type}`}>{saga.type}</Link>
        <Icon name="forward" small />
        <span className="mono">{shortIdOf(saga.id)}</span>
      </nav>
      <div className="saga-title">
        <Heading title={saga.type} />
        <SagaTag status={saga.status} />
      </div>
      <Why saga={saga} />
      <Facts saga={saga} />
      <ul className="saga-steps" aria-label={words.steps}>
        {Object.entries(saga.steps).map(([step, { status, reason }]) => (
          <li key={step} data-status={status}>
            <Icon name={STEP_ICONS[status]} spins={status === 'pending'} />
            <div>
              <b data-lane={step}>{step}</b>
              <small>{reason ? `${words.stepIs[status]}: ${reason}` : words.stepIs[status]}</small>
            </div>
          </li>
        ))}
      </ul>
      <div className="saga-columns">
        <section>
          <h2>{words.happened}</h2>
          <p className="quiet-text">{words.rows}</p>
          <TrueScale rows={rows} />
          <SagaLanes columns={columns} rows={rows} chosen={chosen} onChoose={setPicked} />
        </section>
        {row && <EventInspector rows={rows} at={chosen} onChoose={setPicked} />}
      </div>
    </>
  )
}

/** One sentence: what is so, because of whom, and whether anything is left to do. */
function Why({ saga }: { saga: SagaWithHistory }) {
  const { why } = useWords()
  const listOf = useListOf()
  const [now, setNow] = useState(Date.now)
  useEffect(() => setNow(Date.now()), [saga])
  const { status, steps, reason } = saga
  const failed = Object.keys(steps).find((step) => steps[step]!.status === 'failed')
  const pending = Object.keys(steps).filter((step) => steps[step]!.status === 'pending')
  const text = status === 'running' && isOverdue(saga, now) ? why.overdue : why[status]
  return (
    <p className="why">
      {text
        .replace('{steps}', listOf(pending))
        .replace('{step}', failed ?? '–')
        .replace('{reason}', (failed && steps[failed]!.reason) ?? reason ?? '–')}
    </p>
  )
}

function Facts({ saga: { startedAt, endedAt, deadline, version, ownerId, steps } }: { saga: SagaWithHistory }) {
  const words = useWords()
  const language = useLanguage()
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (endedAt !== null) return
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [endedAt])
  const limit = spanOf(Date.parse(deadline) - Date.parse(startedAt))
  const left = Math.ceil((Date.parse(deadline) - now) / 1_000)
  const wasLate = Object.values(steps).some(({ reason }) => reason === 'deadline')
  return (
    <dl className="saga-facts">
      {[
        [words.started, exactDateOf(startedAt, language)],
        [words.took, spanOf((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt))],
        [
          words.deadline,
          endedAt === null
            ? left > 0
              ? words.left.replace('{seconds}', String(left))
              : words.overdue
            : `${limit}${wasLate ? '' : `, ${words.notReached}`}`,
        ],
        [words.version, version],
        [words.owner, ownerId === null ? words.nothing : shortIdOf(ownerId)],
      ].map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
