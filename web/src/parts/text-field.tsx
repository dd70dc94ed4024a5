import { useId, useState } from 'react'
import { useSay } from '../language.ts'
import { Icon } from './icon.tsx'

type Input = Omit<React.ComponentProps<'input'>, 'onChange' | 'value'>

/** A labelled input with a hint, or what is wrong with it. */
export function TextField({
  label,
  hint,
  good,
  error,
  value,
  onText,
  type,
  ...input
}: Input & {
  label: string
  hint?: string | undefined
  /** A hint that is good news. */
  good?: string | undefined
  error?: string | undefined
  value: string
  onText: (text: string) => void
}) {
  const say = useSay()
  const id = useId()
  const [isShown, setShown] = useState(false)
  const isPassword = type === 'password'
  const said = error ?? good ?? hint
  return (
    <div className={`field${error ? ' wrong' : ''}`}>
      <label htmlFor={id}>{label}</label>
      <div className="input">
        <input
          {...input}
          id={id}
          type={isPassword && isShown ? 'text' : type}
          value={value}
          onChange={({ currentTarget }) => onText(currentTarget.value)}
          aria-invalid={error !== undefined}
          aria-describedby={said ? `${id}-hint` : undefined}
        />
        {isPassword && (
          <button type="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
            {say('show')}
          </button>
        )}
      </div>
      {said && (
        <p id={`${id}-hint`} className={error ? 'bad' : good ? 'ok' : undefined} role={error ? 'alert' : undefined}>
          {(error ?? good) && <Icon name={error ? 'alert' : 'check'} small />}
          {said}
        </p>
      )}
    </div>
  )
}
