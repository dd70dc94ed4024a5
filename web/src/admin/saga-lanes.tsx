// A column for each service, a row for each event; where there is little space the columns are rails beside the rows. Rails and arrows are
// drawn from where the boxes really are.
import { Fragment, useLayoutEffect, useRef, useState } from 'react'
import { Icon } from '../parts/icon.tsx'
import { exactTimeOf, spanOf } from './clock.ts'
import { type EventRow, type LineKind, linesOf, shortTypeOf } from './lane-rows.ts'
import { useWords } from './words.ts'

interface Drawing {
  rails: { d: string; service: string }[]
  arrows: { d: string; kind: LineKind }[]
}

const KINDS: LineKind[] = ['caused', 'failed', 'undo', 'tried']

export function SagaLanes({
  columns,
  rows,
  chosen,
  onChoose,
}: {
  columns: string[]
  rows: EventRow[]
  chosen: number
  onChoose: (row: number) => void
}) {
  const words = useWords()
  const frame = useRef<HTMLDivElement>(null)
  const [{ rails, arrows }, setDrawing] = useState<Drawing>({ rails: [], arrows: [] })
  const lineWords: Record<LineKind, string> = {
    caused: words.caused,
    failed: words.madeFail,
    undo: words.undo,
    tried: words.tried,
  }

  useLayoutEffect(() => {
    const box = frame.current!
    const draw = (): void => setDrawing(drawingOf(box, rows))
    draw()
    const resized = new ResizeObserver(draw)
    resized.observe(box)
    return () => resized.disconnect()
  }, [rows])

  const step = (event: React.KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (by === 0) return
    event.preventDefault()
    const next = Math.min(rows.length - 1, Math.max(0, chosen + by))
    onChoose(next)
    frame.current?.querySelectorAll<HTMLElement>('button.event')[next]?.focus()
  }
  return (
    <>
      <div
        ref={frame}
        className="lanes"
        role="group"
        aria-label={words.lanes}
        onKeyDown={step}
        style={{ '--columns': columns.length } as React.CSSProperties}
      >
        <div className="lane-heads" aria-hidden="true">
          <span />
          {columns.map((service) => (
            <b key={service} data-lane={service}>
              {service}
            </b>
          ))}
        </div>
        <svg className="arrows" aria-hidden="true">
          <defs>
            {KINDS.map((kind) => (
              <marker
                key={kind}
                id={`arrow-${kind}`}
                className={kind}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="6.5"
                markerHeight="6.5"
                orient="auto"
              >
                <path d="M0 0.500 7.500 4 0 7.500Z" />
              </marker>
            ))}
          </defs>
          {rails.map(({ d, service }) => (
            <path key={service} className="rail" data-lane={service} d={d} />
          ))}
          {arrows.map(({ d, kind }, i) => (
            <path key={i} className={kind} d={d} markerEnd={`url(#arrow-${kind})`} />
          ))}
        </svg>
        {rows.map((row, i) => (
          <Fragment key={row.event.eventId}>
            {row.failed > 0 && <Attempts row={row} cause={row.cause === undefined ? undefined : rows[row.cause]} />}
            {row.quietBefore !== undefined && (
              <p className="quiet-time">{words.quiet.replace('{time}', spanOf(row.quietBefore))}</p>
            )}
            <div className="lane-row" style={{ '--column': row.column } as React.CSSProperties}>
              <p className="at">
                <b>{i === 0 ? '0 ms' : `+${spanOf(row.at)}`}</b>
                {exactTimeOf(row.event.recordedAt).slice(3)}
              </p>
              <button
                type="button"
                className={`event ${row.look}`}
                data-lane={row.event.service}
                aria-current={i === chosen ? 'true' : undefined}
                onClick={() => onChoose(i)}
              >
                <i className="node" />
                <b>
                  {row.look !== 'plain' && <Icon name={row.look === 'bad' ? 'alert' : 'undo'} small />}
                  <span className="hush">{row.event.service}: </span>
                  {shortTypeOf(row.event)}
                </b>
                <small>
                  <Lane service={row.event.service} />
                  {row.failed > 0 ? words.attempt.replace('{count}', String(row.event.attempt)) : row.event.topic}
                </small>
              </button>
            </div>
          </Fragment>
        ))}
      </div>
      <p className="line-key">
        {KINDS.map((kind) => (
          <span key={kind}>
            <svg viewBox="0 0 32 8" aria-hidden="true">
              <path className={kind} d="M0 4H32" />
            </svg>
            {lineWords[kind]}
          </span>
        ))}
      </p>
    </>
  )
}

/** What had failed before an event could be made. When that was is not known: after its cause, and before the event. */
function Attempts({ row: { event, column, failed }, cause }: { row: EventRow; cause: EventRow | undefined }) {
  const words = useWords()
  return (
    <div className="lane-row" style={{ '--column': column } as React.CSSProperties}>
      <p className="event attempts" data-lane={event.service}>
        <i className="node" />
        <b>
          <Icon name="retry" small />
          <span className="hush">{event.service}: </span>
          {failed === 1 ? words.attemptFailed : words.attemptsFailed.replace('{count}', String(failed))}
        </b>
        <small>
          <Lane service={event.service} />
          {cause && words.handling.replace('{event}', shortTypeOf(cause.event))}
        </small>
      </p>
    </div>
  )
}

/** Whose row it is, where no column says so. */
function Lane({ service }: { service: string }) {
  return (
    <span className="only-narrow" aria-hidden="true">
      {service} ·{' '}
    </span>
  )
}

function drawingOf(frame: HTMLElement, rows: readonly EventRow[]): Drawing {
  const origin = frame.getBoundingClientRect()
  const within = (element: Element): DOMRect => {
    const { x, y, width, height } = element.getBoundingClientRect()
    return new DOMRect(x - origin.x, y - origin.y, width, height)
  }
  const events = [...frame.querySelectorAll<HTMLElement>('.event')]
  const nodes = events.map((event) => within(event.querySelector('.node')!))
  // On rails the nodes are dots; else the boxes themselves are what stands on the lanes.
  const isOnRails = nodes.some(({ width, height }) => Math.abs(width - height) < 1)
  const boxes = isOnRails ? nodes : events.map(within)
  const lanes = new Map(events.map(({ dataset }, i) => [dataset.lane!, boxes[i]!]))
  const [first, last] = [boxes[0], boxes.at(-1)]
  return {
    rails: [...lanes].map(([service, { x, width }]) => ({
      service,
      d: `M${x + width / 2} ${first!.top}V${last!.bottom}`,
    })),
    arrows: linesOf(rows).flatMap(({ from, to, kind }) => {
      const [a, b] = [boxes[from], boxes[to]]
      return a && b ? [{ kind, d: isOnRails ? railPath(a, b) : lanePath(a, b) }] : []
    }),
  }
}

/** From under one box to the side of another one, or to its top. */
function lanePath(from: DOMRect, to: DOMRect): string {
  const x = from.left + Math.min(24, from.width / 4)
  if (Math.abs(to.left - from.left) <= 1) return `M${x},${from.bottom}V${to.top - 2}`
  const isRight = to.left > from.left
  const endX = isRight ? to.left - 2 : to.right + 2
  return `M${x},${from.bottom}V${to.top + to.height / 2 - 8}q0,8 ${isRight ? 8 : -8},8H${endX}`
}

/** From dot to dot. */
function railPath(from: DOMRect, to: DOMRect): string {
  const x = from.left + from.width / 2
  const endY = to.top + to.height / 2
  if (Math.abs(to.left - from.left) <= 1) return `M${x},${from.bottom}V${to.top}`
  const isRight = to.left > from.left
  return `M${x},${from.bottom}V${endY - 7}q0,7 ${isRight ? 7 : -7},7H${isRight ? to.left : to.right}`
}
