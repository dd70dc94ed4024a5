import '../styles/forms.css'
import { useMutation } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { Link, Navigate, useSearchParams } from 'react-router'
import { useSay } from '../language.ts'
import { Wood } from '../parts/grove.tsx'
import { Heading } from '../parts/heading.tsx'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { wasSessionLost } from '../renewal.ts'
import { logIn, useMe } from '../state/session.ts'
import { EntryPage } from './entry-page.tsx'

/** Where one was, on this site only. */
const backTo = (to: string | null): string => (to?.startsWith('/') && !/^\/[/\\]/.test(to) ? to : '/')

export function Page() {
  const say = useSay()
  const me = useMe()
  const [search] = useSearchParams()
  const to = backTo(search.get('to'))
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const form = useRef<HTMLFormElement>(null)
  const entry = useMutation({
    mutationFn: () => logIn(username.trim(), password),
    onError: () => form.current?.querySelector<HTMLInputElement>('[name=password]')?.focus(),
  })
  if (me) return <Navigate to={to} replace />
  return (
    <EntryPage picture={<Wood />}>
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (!entry.isPending) entry.mutate()
        }}
      >
        <Heading title={say('logIn.title')} pageTitle={say('logIn.button')} />
        <p className="lead">{say(wasSessionLost() ? 'problem.unauthenticated' : 'logIn.lead')}</p>
        <TextField
          label={say('field.username')}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={username}
          onText={setUsername}
        />
        <TextField
          label={say('field.password')}
          name="password"
          type="password"
          autoComplete="current-password"
          value={password}
          onText={setPassword}
        />
        {entry.error && (
          <p className="wrong-form" role="alert">
            {problemText(entry.error, say)}
          </p>
        )}
        <button className="button wide" aria-disabled={entry.isPending}>
          {say('logIn.button')}
        </button>
        <p className="other">
          {say('logIn.other')}{' '}
          <Link className="link" to="/sign-up">
            {say('signUp.button')}
          </Link>
        </p>
      </form>
    </EntryPage>
  )
}
