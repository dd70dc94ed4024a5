import '../styles/forms.css'
import { useEffect } from 'react'
import { Link, Navigate, useLocation } from 'react-router'
import type { Saga } from '../contract.ts'
import { useSay } from '../language.ts'
import { Wood } from '../parts/grove.tsx'
import { SagaSteps } from '../parts/saga-steps.tsx'
import { useSaga } from '../state/saga.ts'
import { ended, resume, suspend } from '../state/session.ts'
import { EntryPage } from './entry-page.tsx'

/** What becomes of an account that is being deleted. Its owner comes here with the saga, and may be nobody when it is over. */
export function Page() {
  const { state } = useLocation()
  return state === null ? <Navigate to="/" replace /> : <Progress first={state as Saga} />
}

function Progress({ first }: { first: Saga }) {
  const say = useSay()
  const { saga = first, isGone } = useSaga('account-deletion', first.id, first)
  const { status } = saga
  useEffect(() => {
    if (status === 'completed') ended()
    else if (status === 'failed' || isGone) resume()
    else suspend()
  }, [status, isGone])
  if (isGone) return <Navigate to="/" replace />
  return (
    <EntryPage picture={<Wood />}>
      <SagaSteps saga={saga}>
        {status === 'completed' ? (
          <Link className="button wide" to="/">
            {say('shell.browse')}
          </Link>
        ) : (
          status === 'failed' && (
            <Link className="button wide" to="/settings">
              {say('back')}
            </Link>
          )
        )}
      </SagaSteps>
    </EntryPage>
  )
}
