import '../styles/steps.css'
import { useEffect, useState } from 'react'
import type { Saga, Step } from '../contract.ts'
import { firstKey, isKey, type Say, useSay } from '../language.ts'
import { hasEnded, useListOf } from '../state/saga.ts'
import type { Growth } from './grove.tsx'
import { Heading } from './heading.tsx'
import { Icon } from './icon.tsx'
import { STEP_ICONS } from './step-icons.ts'

const GROWTH: Record<Step['status'], Growth> = {
  done: 'tree',
  pending: 'sapling',
  failed: 'bare',
  undone: 'gone',
  skipped: 'gone',
}
const SAY_AFTER_MS = 600

function nameOf(step: string, say: Say): string {
  const key = `step.${step}`
  return isKey(key) ? say(key) : step
}

function wordsOf({ type, status: saga }: Saga, step: string, { status, reason, detail }: Step, say: Say): string {
  if (saga === 'compensating' && status === 'done') return say('saga.undoing')
  if (status === 'failed') return say(firstKey(`saga.reason.${reason}`, 'saga.reason.other'))
  return say(
    firstKey(`${type}.${step}.${status}`, `${type}.${status}`, `status.${status}`, 'status.pending'),
    blanksIn(detail),
  )
}

/** What has come of a step, as far as it fills blanks of a text. */
const blanksIn = (detail: Step['detail'] = {}): Record<string, string | number> =>
  Object.fromEntries(
    Object.entries(detail).filter(
      (entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number',
    ),
  )

/** The steps as trees of the grove. */
export const placesOf = (saga: Saga, say: Say) =>
  Object.entries(saga.steps).map(([step, { status, reason }]) => ({
    name: nameOf(step, say),
    words:
      status === 'pending' || status === 'done'
        ? say(`grove.${status}`)
        : wordsOf(saga, step, { status, ...(reason && { reason }) }, say),
    growth: GROWTH[status],
  }))

/** How something that runs over several services is going. `name`: whose it is, for the title. */
export function SagaSteps({
  saga,
  name,
  children,
}: {
  saga: Saga
  name?: string | undefined
  children?: React.ReactNode
}) {
  const say = useSay()
  const listOf = useListOf()
  const { type, status, steps, startedAt, deadline } = saga
  const most = Math.ceil((Date.parse(deadline) - Date.parse(startedAt)) / 1000)
  const namesOf = (wanted: Step['status']): string =>
    listOf(
      Object.keys(steps)
        .filter((step) => steps[step]!.status === wanted)
        .map((step) => nameOf(step, say)),
    )
  const isLate = Object.values(steps).some((step) => step.status === 'failed' && step.reason === 'deadline')
  const titled = firstKey(...(name ? [] : [`${type}.${status}.nameless`]), `${type}.${status}`, 'saga.running')
  const title = say(titled, { name: name ?? '' })
  const lead = say(firstKey(...(isLate ? [`${type}.${status}.deadline`] : []), `${type}.${status}.lead`, 'saga.lead'), {
    step: namesOf('failed'),
    most,
  })
  const late = firstKey(`${type}.late`, 'saga.late')
  const times = useTimes(saga)
  const elapsed = useElapsed(saga)
  const announced = useSettled(
    status === 'running'
      ? say('saga.soFar', { done: namesOf('done') || '–', rest: namesOf('pending') || '–' })
      : `${title}. ${lead}`,
  )
  return (
    <div className="progress">
      <Heading title={title} />
      <p className="lead">{lead}</p>
      <ol className="steps" aria-label={say(firstKey(`${type}.steps`, 'saga.steps'))}>
        {Object.entries(steps).map(([step, state]) => {
          const isUndoing = status === 'compensating' && state.status === 'done'
          const label = say('saga.item', { step: nameOf(step, say), status: say(`status.${state.status}`) })
          return (
            <li key={step} data-status={isUndoing ? 'undoing' : state.status} aria-label={label}>
              <span className="state">
                <Icon
                  name={isUndoing ? 'retry' : STEP_ICONS[state.status]}
                  spins={isUndoing || state.status === 'pending'}
                />
              </span>
              <div>
                <b>{nameOf(step, say)}</b>
                <small>{wordsOf(saga, step, state, say)}</small>
              </div>
              <span className="when">
                {state.status === 'pending'
                  ? say('saga.inProgress')
                  : times[step] !== undefined && say('time.seconds', { seconds: times[step].toFixed(2) })}
              </span>
            </li>
          )
        })}
      </ol>
      {!hasEnded(saga) && (
        <div className="bar">
          <progress max={most} value={Math.min(most, elapsed)} aria-label={say('saga.bar')} />
          <span>{say(elapsed > most ? late : 'saga.elapsed', { elapsed: Math.floor(elapsed), most })}</span>
        </div>
      )}
      <p className="hush" role="status">
        {announced}
      </p>
      {children}
    </div>
  )
}

/** When each step got where it is, in seconds from the first look at it, as far as that was seen here from the beginning. */
function useTimes({ steps, version }: Saga): Record<string, number> {
  const [began] = useState(() => (version === 1 ? performance.now() : undefined))
  const [times, setTimes] = useState<Record<string, number>>({})
  useEffect(() => {
    if (began === undefined) return
    const seconds = (performance.now() - began) / 1000
    setTimes((before) => {
      const settled = Object.keys(steps).filter(
        (step) => steps[step]!.status !== 'pending' && before[step] === undefined,
      )
      return settled.length === 0
        ? before
        : { ...before, ...Object.fromEntries(settled.map((step) => [step, seconds])) }
    })
  }, [began, steps])
  return times
}

function useElapsed(saga: Saga): number {
  const [began] = useState(Date.now)
  const [now, setNow] = useState(Date.now)
  const isOver = hasEnded(saga)
  useEffect(() => {
    if (isOver) return
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [isOver])
  // The clocks of here and there may differ: a start in the future, or long before the deadline, is not believed.
  const since = Math.min(Math.max(Date.parse(saga.startedAt), began - 60_000), began)
  return Math.max(0, (now - since) / 1000)
}

/** The text when it has not changed for a moment: one announcement for a burst of changes. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), SAY_AFTER_MS)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
