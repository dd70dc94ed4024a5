import { useRouteError } from 'react-router'
import { useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'

/** A page that could not be shown: most often its file is gone because there is a newer version, so it is loaded anew. */
export function RouteProblem() {
  const say = useSay()
  const error = useRouteError()
  console.error(error)
  return (
    <main id="main" className="wrap empty">
      <Heading title={say('problem.title')} />
      <p>{say('problem.page')}</p>
      <button type="button" className="button" onClick={() => location.reload()}>
        {say('retry')}
      </button>
    </main>
  )
}
