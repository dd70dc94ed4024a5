import { useEffect, useState } from 'react'
import { Link } from 'react-router'
import type { Saga } from '../contract.ts'
import { useLanguage, useSay } from '../language.ts'
import { Grove, Wood } from '../parts/grove.tsx'
import { Heading } from '../parts/heading.tsx'
import { problemText } from '../parts/problem.tsx'
import { placesOf, SagaSteps } from '../parts/saga-steps.tsx'
import { useSaga } from '../state/saga.ts'
import { logIn } from '../state/session.ts'
import { EntryPage } from './entry-page.tsx'
import type { Newcomer } from './sign-up-form.tsx'

/** A sign-up as it goes on. The password is known only to the page that it was typed in: that one logs in when it is done. */
export function SignUpProgress({
  id,
  first,
  newcomer,
  onAgain,
}: {
  id: string
  first: Saga | undefined
  newcomer: Newcomer
  onAgain: () => void
}) {
  const say = useSay()
  const language = useLanguage()
  const { saga, isGone } = useSaga('sign-up', id, first)
  const [error, setError] = useState<unknown>()
  const isMine = newcomer.password !== ''
  const isDone = saga?.status === 'completed'

  useEffect(() => {
    if (!isDone || !isMine) return
    logIn(newcomer.username, newcomer.password, language).catch(setError)
    // Once: the language of that moment is the one of the profile.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [isDone, isMine, newcomer])

  if (isGone)
    return (
      <EntryPage picture={<Wood />}>
        <div className="progress">
          <Heading title={say('signUp.gone')} />
          <button type="button" className="button wide" onClick={onAgain}>
            {say('signUp.again')}
          </button>
        </div>
      </EntryPage>
    )
  if (!saga) return <EntryPage picture={<Wood />}>{null}</EntryPage>
  return (
    <EntryPage tall picture={<Grove places={placesOf(saga, say)} />}>
      <SagaSteps saga={saga} name={newcomer.displayName || undefined}>
        {saga.status === 'failed' ? (
          <button type="button" className="button wide" onClick={onAgain}>
            {say('signUp.again')}
          </button>
        ) : isDone ? (
          <>
            {error !== undefined && (
              <p className="wrong-form" role="alert">
                {problemText(error, say)}
              </p>
            )}
            {isMine && error === undefined ? (
              <Link className="button wide" to="/">
                {say('shell.browse')}
              </Link>
            ) : (
              <Link className="button wide" to="/log-in">
                {say('logIn.button')}
              </Link>
            )}
          </>
        ) : (
          <p className="note">{say('signUp.note')}</p>
        )}
      </SagaSteps>
    </EntryPage>
  )
}
