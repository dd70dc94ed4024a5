import { countOf } from '../format.ts'
import { useSay } from '../language.ts'

/** How many are new; nothing for none. */
export function Badge({ count, muted = false }: { count: number; muted?: boolean }) {
  const say = useSay()
  if (count <= 0) return null
  return (
    <span className={`count${muted ? ' muted' : ''}`}>
      <span aria-hidden="true">{countOf(count)}</span>
      <span className="hush">{say('unread', { count })}</span>
    </span>
  )
}
