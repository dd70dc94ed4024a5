import { spanOf } from './clock.ts'
import type { EventRow } from './lane-rows.ts'
import { useWords } from './words.ts'

const WIDTH = 1_000

/** When the events happened, on a line that is as long as they took. */
export function TrueScale({ rows }: { rows: EventRow[] }) {
  const words = useWords()
  const all = Math.max(1, rows.at(-1)?.at ?? 1)
  return (
    <figure className="true-scale">
      <figcaption>{words.scale}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} 24`} preserveAspectRatio="none" aria-hidden="true">
        <path d={`M0 12H${WIDTH}`} className="axis" />
        {rows.map(({ event, at, look }) => (
          <path
            key={event.eventId}
            data-lane={event.service}
            className={look}
            d={`M${(at / all) * (WIDTH - 4) + 2} ${look === 'bad' ? 0 : 4}V${look === 'bad' ? 24 : 20}`}
          />
        ))}
      </svg>
      <p>
        <span>0</span>
        <span>{spanOf(all)}</span>
      </p>
    </figure>
  )
}
