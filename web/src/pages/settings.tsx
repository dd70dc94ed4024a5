import '../styles/settings.css'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '../api.ts'
import type { Language } from '../contract.ts'
import { setLanguage, useLanguage, useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { toast } from '../shell/toasts.tsx'
import { logOut, setMe, useMe } from '../state/session.ts'
import { setTheme, THEMES, useTheme } from '../theme.ts'
import { DeleteAccount } from './delete-account.tsx'
import { Devices } from './devices.tsx'

export function Page() {
  const say = useSay()
  const leaving = useMutation({
    mutationFn: logOut,
    onError: (error) => toast(problemText(error, say)),
  })
  return (
    <main id="main" className="wrap page narrow settings">
      <Heading title={say('shell.settings')} />
      <ProfileForm />
      <Look />
      <PasswordForm />
      <Devices />
      <section>
        <h2>{say('settings.session')}</h2>
        <div className="actions">
          <button type="button" className="button quiet" onClick={() => leaving.mutate(false)}>
            {say('logOut')}
          </button>
          <button type="button" className="button quiet" onClick={() => leaving.mutate(true)}>
            {say('settings.everywhere')}
          </button>
        </div>
      </section>
      <DeleteAccount />
    </main>
  )
}

function ProfileForm() {
  const say = useSay()
  const me = useMe()!
  const [displayName, setDisplayName] = useState(me.displayName)
  const [statusMessage, setStatusMessage] = useState(me.statusMessage)
  const saving = useMutation({
    mutationFn: () =>
      api('PATCH /api/me', { body: { displayName: displayName.trim(), statusMessage: statusMessage.trim() } }),
    onSuccess(profile) {
      setMe(profile)
      toast(say('settings.saved'))
    },
  })
  const isWrong = displayName.trim() === '' || Array.from(displayName.trim()).length > 40
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (!isWrong && !saving.isPending) saving.mutate()
      }}
    >
      <h2>{say('settings.profile')}</h2>
      <TextField
        label={say('field.displayName')}
        autoComplete="nickname"
        value={displayName}
        onText={setDisplayName}
        error={isWrong ? say('bad.displayName') : undefined}
      />
      <TextField label={say('field.statusMessage')} maxLength={100} value={statusMessage} onText={setStatusMessage} />
      {saving.error && (
        <p className="wrong-form" role="alert">
          {problemText(saving.error, say)}
        </p>
      )}
      <div className="actions">
        <button className="button" aria-disabled={saving.isPending}>
          {say('save')}
        </button>
      </div>
    </form>
  )
}

function Look() {
  const say = useSay()
  const language = useLanguage()
  const theme = useTheme()
  const choosing = useMutation({
    mutationFn: async (locale: Language) => {
      await setLanguage(locale)
      return api('PATCH /api/me', { body: { locale } })
    },
    onSuccess: setMe,
    onError: (error) => toast(problemText(error, say)),
  })
  return (
    <section>
      <h2>{say('settings.look')}</h2>
      <div className="choices">
        <div className="segments" role="group" aria-label={say('language')}>
          <button type="button" lang="ko" aria-pressed={language === 'ko'} onClick={() => choosing.mutate('ko')}>
            한국어
          </button>
          <button type="button" lang="en" aria-pressed={language === 'en'} onClick={() => choosing.mutate('en')}>
            English
          </button>
        </div>
        <div className="segments" role="group" aria-label={say('settings.theme')}>
          {THEMES.map((one) => (
            <button key={one} type="button" aria-pressed={one === theme} onClick={() => setTheme(one)}>
              {say(`theme.${one}`)}
            </button>
          ))}
        </div>
      </div>
    </section>
  )
}

function PasswordForm() {
  const say = useSay()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const saving = useMutation({
    mutationFn: () => api('PUT /api/me/password', { body: { currentPassword: current, newPassword: next } }),
    onSuccess() {
      setCurrent('')
      setNext('')
      toast(say('settings.passwordSaved'))
    },
  })
  const length = Array.from(next).length
  const isShort = next !== '' && (length < 10 || length > 200)
  const isWrong = saving.error instanceof ApiError && saving.error.code === 'forbidden'
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (current !== '' && next !== '' && !isShort && !saving.isPending) saving.mutate()
      }}
    >
      <h2>{say('settings.password')}</h2>
      <TextField
        label={say('field.currentPassword')}
        type="password"
        autoComplete="current-password"
        value={current}
        onText={setCurrent}
        error={isWrong ? say('bad.confirm') : undefined}
      />
      <TextField
        label={say('field.newPassword')}
        type="password"
        autoComplete="new-password"
        value={next}
        onText={setNext}
        hint={say('hint.password')}
        error={isShort ? say('bad.password') : undefined}
      />
      {saving.error && !isWrong && (
        <p className="wrong-form" role="alert">
          {problemText(saving.error, say)}
        </p>
      )}
      <div className="actions">
        <button className="button" aria-disabled={saving.isPending}>
          {say('settings.changePassword')}
        </button>
      </div>
    </form>
  )
}
