import { ApiError } from '../api.ts'
import { firstKey, type Say, useSay } from '../language.ts'
import { Icon } from './icon.tsx'

/** What went wrong, why, and what to do now. */
export function problemText(error: unknown, say: Say): string {
  if (!(error instanceof ApiError)) return say('problem.internal')
  const seconds = Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)
  return say(firstKey(`problem.${error.code}`, 'problem.internal'), { seconds })
}

/** In place of what could not be fetched. */
export function Problem({ error, retry }: { error: unknown; retry: () => void }) {
  const say = useSay()
  return (
    <div className="empty" role="alert">
      <h2>{say('problem.title')}</h2>
      <p>{problemText(error, say)}</p>
      <button type="button" className="button" onClick={retry}>
        <Icon name="retry" small />
        {say('retry')}
      </button>
      {error instanceof ApiError && error.requestId && (
        <small className="mono">{say('problem.request', { id: error.requestId })}</small>
      )}
    </div>
  )
}
