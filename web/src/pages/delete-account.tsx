import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { api, ApiError } from '../api.ts'
import { moneyOf } from '../format.ts'
import { useSay } from '../language.ts'
import { Dialog } from '../parts/dialog.tsx'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { useRooms } from '../state/rooms.ts'

/** Asks once more, with what goes with the account. */
export function DeleteAccount() {
  const say = useSay()
  const [asks, setAsks] = useState(false)
  return (
    <section>
      <h2>{say('delete.heading')}</h2>
      <p className="quiet-text">{say('delete.text')}</p>
      <div className="actions">
        <button type="button" className="button bad" onClick={() => setAsks(true)}>
          {say('delete.button')}
        </button>
      </div>
      {asks && <Confirm onClose={() => setAsks(false)} />}
    </section>
  )
}

function Confirm({ onClose }: { onClose: () => void }) {
  const say = useSay()
  const navigate = useNavigate()
  const rooms = useRooms() ?? []
  const { data: wallet } = useQuery({
    queryKey: ['wallet'],
    queryFn: ({ signal }) => api('GET /api/me/wallet', { signal }),
  })
  const [password, setPassword] = useState('')
  const starting = useMutation({
    mutationFn: () => api('DELETE /api/me', { body: { password } }),
    onSuccess: (saga) => void navigate('/account-deletion', { state: saga }),
  })
  const isWrong = starting.error instanceof ApiError && starting.error.code === 'forbidden'
  return (
    <Dialog title={say('delete.title')} onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (password !== '' && !starting.isPending) starting.mutate()
        }}
      >
        <p>
          {say('delete.counts', {
            rooms: rooms.length,
            messages: rooms.reduce((sum, { lastSeq }) => sum + lastSeq, 0),
          })}
        </p>
        {wallet !== undefined && wallet.balance > 0 && (
          <p>{say('delete.wallet', { money: moneyOf(wallet.balance, say) })}</p>
        )}
        <TextField
          label={say('field.password')}
          type="password"
          autoComplete="current-password"
          value={password}
          onText={setPassword}
          error={isWrong ? say('bad.confirm') : undefined}
        />
        {starting.error && !isWrong && (
          <p className="wrong-form" role="alert">
            {problemText(starting.error, say)}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button quiet" onClick={onClose}>
            {say('cancel')}
          </button>
          <button className="button danger" aria-disabled={starting.isPending}>
            {say('delete.button')}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
