import { useMutation, useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import { useSay } from '../language.ts'
import { Problem, problemText } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { toast } from '../shell/toasts.tsx'
import { queries } from '../state/queries.ts'
import { allOf } from '../state/rooms.ts'

const DEVICES = ['devices'] as const

/** Where one is logged in. */
export function Devices() {
  const say = useSay()
  const {
    data = [],
    error,
    refetch,
  } = useQuery({
    queryKey: DEVICES,
    queryFn: ({ signal }) => allOf((cursor) => api('GET /api/sessions', { query: { cursor, limit: 100 }, signal })),
  })
  const ending = useMutation({
    mutationFn: (id: string) => api('DELETE /api/sessions/{id}', { path: { id } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: DEVICES }),
    onError: (thrown) => toast(problemText(thrown, say)),
  })
  return (
    <section>
      <h2>{say('settings.devices')}</h2>
      {error && <Problem error={error} retry={() => void refetch()} />}
      <ul className="list" aria-label={say('settings.devices')}>
        {data.map(({ id, userAgent, lastUsedAt, current }) => (
          <li key={id} className="person">
            <div>
              <b>{nameOf(userAgent) || say('settings.device')}</b>
              <small>{current ? say('settings.thisDevice') : <Time at={lastUsedAt} />}</small>
            </div>
            {!current && (
              <button type="button" className="button quiet tiny" onClick={() => ending.mutate(id)}>
                {say('logOut')}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Browser and system, as far as the user agent tells. */
function nameOf(userAgent: string): string {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//
    .exec(userAgent)?.[1]
    ?.replace('Edg', 'Edge')
    .replace('OPR', 'Opera')
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(userAgent)?.[1]?.replace('Mac OS X', 'macOS')
  return [browser, system].filter(Boolean).join(', ')
}
