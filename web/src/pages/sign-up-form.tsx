import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { Link } from 'react-router'
import { api, ApiError } from '../api.ts'
import { type Key, useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'

export interface Newcomer {
  username: string
  password: string
  displayName: string
  email: string
}
type Field = keyof Newcomer

const CHECK_AFTER_MS = 400
const USERNAME = /^[a-z0-9._-]{3,30}$/

/** What is wrong with a value, if it is; `server` also knows what is taken. */
function faultOf(field: Field, value: string): Key | undefined {
  const length = Array.from(value).length
  if (length === 0) return 'bad.missing'
  if (field === 'username' && !USERNAME.test(value)) return 'bad.username'
  if (field === 'password' && (length < 10 || length > 200)) return 'bad.password'
  if (field === 'displayName' && length > 40) return 'bad.displayName'
  if (field === 'email' && !/^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(value))
    return /^[^\s@]+@[^\s@.]+$/.test(value) ? 'bad.emailDot' : 'bad.email'
  return undefined
}

const FIELDS: readonly Field[] = ['username', 'password', 'displayName', 'email']
const INPUTS: Record<Field, React.ComponentProps<'input'>> = {
  username: { autoComplete: 'username', autoCapitalize: 'none', spellCheck: false },
  password: { type: 'password', autoComplete: 'new-password' },
  displayName: { autoComplete: 'nickname' },
  email: { type: 'email', autoComplete: 'email', autoCapitalize: 'none' },
}
const TAKEN: Partial<Record<string, Field>> = { username_taken: 'username', email_taken: 'email' }

export function SignUpForm({
  newcomer,
  onChange,
  signUp,
}: {
  newcomer: Newcomer
  onChange: (newcomer: Newcomer) => void
  signUp: () => Promise<void>
}) {
  const say = useSay()
  const form = useRef<HTMLFormElement>(null)
  const [touched, setTouched] = useState<ReadonlySet<Field>>(new Set())
  const [refused, setRefused] = useState<Partial<Record<Field, Key>>>({})
  const { checked, isFree } = useNameCheck(newcomer.username)
  const focusFirst = (wrong: (field: Field) => boolean): void => {
    const field = FIELDS.find(wrong)
    form.current?.querySelector<HTMLInputElement>(`[name=${field}]`)?.focus()
  }
  const entry = useMutation({
    mutationFn: signUp,
    onError(error) {
      if (!(error instanceof ApiError)) return
      const taken = TAKEN[error.code]
      const faults: Partial<Record<Field, Key>> = taken ? { [taken]: `problem.${error.code}` as Key } : {}
      for (const { path } of error.errors) {
        const field = FIELDS.find((one) => path === `/${one}`)
        if (field) faults[field] = `bad.${field}`
      }
      setRefused(faults)
      focusFirst((field) => field in faults)
    },
  })

  const errorOf = (field: Field): string | undefined => {
    const key = refused[field] ?? (touched.has(field) ? faultOf(field, newcomer[field]) : undefined)
    if (key) return say(key)
    return field === 'username' && checked === newcomer.username && isFree === false
      ? say('problem.username_taken')
      : undefined
  }
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        setTouched(new Set(FIELDS))
        if (FIELDS.some((field) => faultOf(field, newcomer[field])))
          return focusFirst((field) => !!faultOf(field, newcomer[field]))
        if (!entry.isPending) entry.mutate()
      }}
    >
      <Heading title={say('signUp.title')} pageTitle={say('signUp.button')} />
      <p className="lead">{say('signUp.lead')}</p>
      {FIELDS.map((field) => (
        <TextField
          key={field}
          {...INPUTS[field]}
          name={field}
          label={say(`field.${field}`)}
          value={newcomer[field]}
          onText={(text) => {
            onChange({ ...newcomer, [field]: text })
            setRefused((before) => Object.fromEntries(Object.entries(before).filter(([name]) => name !== field)))
          }}
          onBlur={() => {
            if (newcomer[field] !== '') setTouched((before) => new Set(before).add(field))
          }}
          error={errorOf(field)}
          good={field === 'username' && checked === newcomer.username && isFree ? say('hint.free') : undefined}
          hint={field === 'password' ? say('hint.password') : undefined}
        />
      ))}
      {entry.error && Object.keys(refused).length === 0 && (
        <p className="wrong-form" role="alert">
          {problemText(entry.error, say)}
        </p>
      )}
      <button className="button wide" aria-disabled={entry.isPending}>
        {say('signUp.button')}
      </button>
      <p className="other">
        {say('signUp.other')}{' '}
        <Link className="link" to="/log-in">
          {say('logIn.button')}
        </Link>
      </p>
    </form>
  )
}

/** Whether the name is free, asked a moment after it was typed. */
function useNameCheck(username: string): { checked: string; isFree: boolean | undefined } {
  const [checked, setChecked] = useState(username)
  useEffect(() => {
    const timer = setTimeout(() => setChecked(username), CHECK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [username])
  const { data } = useQuery({
    queryKey: ['username', checked],
    queryFn: ({ signal }) => api('GET /api/usernames/{username}', { path: { username: checked }, signal }),
    enabled: USERNAME.test(checked),
    staleTime: 10_000,
  })
  return { checked, isFree: data?.available }
}
