import { toast } from '../shell/toasts.tsx'
import { exactTimeOf, shortIdOf, spanOf } from './clock.ts'
import { chainOf, type EventRow, shortTypeOf } from './lane-rows.ts'
import { useWords } from './words.ts'

/** All that is known of one event, and how it came about. */
export function EventInspector({
  rows,
  at,
  onChoose,
}: {
  rows: EventRow[]
  at: number
  onChoose: (row: number) => void
}) {
  const words = useWords()
  const { event, look } = rows[at]!
  const { type, version, recordedAt, receivedAt, attempt, topic, partition, offset, eventId, data, service } = event
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(JSON.stringify(event, null, 2))
    toast(words.copied)
  }
  return (
    <aside className="inspector" aria-label={words.inspector}>
      <h2 className={look}>
        {service}: {shortTypeOf(event)}
      </h2>
      <p className="mono">
        {type} · v{version}
      </p>
      <dl>
        {[
          [words.recorded, exactTimeOf(recordedAt)],
          [
            words.received,
            `+${spanOf(Date.parse(receivedAt) - Date.parse(recordedAt))}, ${words.attempt.replace('{count}', String(attempt))}`,
          ],
          [words.partition, `${topic} ${partition}${offset === null ? '' : `, ${offset}`}`],
          [words.id, shortIdOf(eventId)],
        ].map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3>{words.data}</h3>
      <pre tabIndex={0}>{JSON.stringify(data, null, 2)}</pre>
      <h3>{words.chain}</h3>
      <ol className="chain">
        {chainOf(rows, at).map((row) => (
          <li key={row.event.eventId} aria-current={row.event === event ? 'true' : undefined}>
            <button type="button" data-lane={row.event.service} onClick={() => onChoose(rows.indexOf(row))}>
              {row.event.service} {shortTypeOf(row.event)}
            </button>
            <span>+{spanOf(row.at)}</span>
          </li>
        ))}
      </ol>
      <button type="button" className="button quiet tiny" onClick={() => void copy()}>
        {words.copy}
      </button>
    </aside>
  )
}
