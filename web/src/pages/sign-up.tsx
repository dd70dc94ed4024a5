import '../styles/forms.css'
import { useCallback, useState } from 'react'
import { useNavigate, useSearchParams } from 'react-router'
import { api } from '../api.ts'
import type { Saga } from '../contract.ts'
import { Wood } from '../parts/grove.tsx'
import { EntryPage } from './entry-page.tsx'
import { type Newcomer, SignUpForm } from './sign-up-form.tsx'
import { SignUpProgress } from './sign-up-progress.tsx'

const NOBODY: Newcomer = { username: '', password: '', displayName: '', email: '' }

/** The form, and on the same page what becomes of it. */
export function Page() {
  const [search] = useSearchParams()
  const navigate = useNavigate()
  const [newcomer, setNewcomer] = useState(NOBODY)
  const [first, setFirst] = useState<Saga>()
  const [key, setKey] = useState<string>(() => crypto.randomUUID())
  const id = search.get('saga')

  const signUp = useCallback(async (): Promise<void> => {
    const saga = await api('POST /api/users', { body: newcomer, idempotencyKey: key })
    setFirst(saga)
    void navigate(`/sign-up?saga=${saga.id}`)
  }, [newcomer, key, navigate])
  const startAgain = useCallback((): void => {
    // Another try is another sign-up.
    setKey(crypto.randomUUID())
    setFirst(undefined)
    void navigate('/sign-up', { replace: true })
  }, [navigate])

  if (id !== null)
    return (
      <SignUpProgress
        key={id}
        id={id}
        first={first?.id === id ? first : undefined}
        newcomer={newcomer}
        onAgain={startAgain}
      />
    )
  return (
    <EntryPage picture={<Wood />}>
      <SignUpForm
        newcomer={newcomer}
        onChange={(changed) => {
          setNewcomer(changed)
          setKey(crypto.randomUUID())
        }}
        signUp={signUp}
      />
    </EntryPage>
  )
}
