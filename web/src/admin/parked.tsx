import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api.ts'
import type { Parked } from '../contract.ts'
import { useSay } from '../language.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { Problem, problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { Time } from '../parts/time.tsx'
import { toast } from '../shell/toasts.tsx'
import { queries } from '../state/queries.ts'
import { PARKED, useParked } from './parked-keys.ts'
import { useWords } from './words.ts'

type Sent = Record<string, { attempts: number; state: 'queued' | 'sent' }>
const keyOf = ({ service, key }: Parked): string => `${service} ${key}`

/** By service, then by what went wrong: one cause is most often one mistake. */
function groupsOf(parked: readonly Parked[]): [title: string, keys: Parked[]][] {
  const groups = Map.groupBy(parked, ({ service, error }) => `${service}: ${error}`)
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

export function Page() {
  const words = useWords()
  const say = useSay()
  const { data, error, refetch } = useParked()
  const [sent, setSent] = useState<Sent>({})
  const [asks, setAsks] = useState<Parked>()
  const redrive = useMutation({
    mutationFn: ({ service, key }: Parked) =>
      api('POST /api/admin/parked/{service}/{key}/redrive', { path: { service, key } }),
    onMutate: (one) => setSent((before) => ({ ...before, [keyOf(one)]: { attempts: one.attempts, state: 'queued' } })),
    onSuccess(_, one) {
      setSent((before) => ({ ...before, [keyOf(one)]: { attempts: one.attempts, state: 'sent' } }))
      void queries.invalidateQueries({ queryKey: PARKED })
    },
    onError(thrown, one) {
      setSent(({ ...before }) => {
        delete before[keyOf(one)]
        return before
      })
      toast(problemText(thrown, say))
    },
  })
  const gone = Object.keys(sent).filter((key) => data && !data.some((one) => keyOf(one) === key))
  const stateOf = (one: Parked): string | undefined => {
    const was = sent[keyOf(one)]
    if (!was) return undefined
    if (was.state === 'queued') return words.queued
    return one.attempts > was.attempts ? words.parkedAgain : words.sent
  }
  return (
    <main id="main" className="wrap page">
      <Heading title={words.parked} />
      <p role="status" className="quiet-text">
        {gone.map((key) => `${key}: ${words.handled}`).join('. ')}
      </p>
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : (
        data?.length === 0 && <Empty title={words.nothingParked} text={words.nothingParkedText} />
      )}
      {groupsOf(data ?? []).map(([title, keys]) => (
        <section key={title} className="parked-group">
          <h2>{title}</h2>
          {keys.map((one) => (
            <article key={keyOf(one)}>
              <h3 className="mono">{one.key}</h3>
              <p className="quiet-text">
                {words.since} <Time at={one.since} /> · {words.attempts} {one.attempts}
              </p>
              <ol>
                {one.events.map((event) => (
                  <li key={event.id}>
                    <details>
                      <summary>{event.type}</summary>
                      <pre tabIndex={0}>{JSON.stringify(event.data, null, 2)}</pre>
                    </details>
                  </li>
                ))}
              </ol>
              <div className="actions">
                <button type="button" className="button tiny" onClick={() => redrive.mutate(one)}>
                  {words.sendAgain}
                </button>
                <button type="button" className="button bad tiny" onClick={() => setAsks(one)}>
                  {words.discard}
                </button>
                <span role="status">{stateOf(one)}</span>
              </div>
            </article>
          ))}
        </section>
      ))}
      {asks && <Discard parked={asks} onClose={() => setAsks(undefined)} />}
    </main>
  )
}

function Discard({ parked: { service, key }, onClose }: { parked: Parked; onClose: () => void }) {
  const words = useWords()
  const say = useSay()
  const [reason, setReason] = useState('')
  const discarding = useMutation({
    mutationFn: () =>
      api('POST /api/admin/parked/{service}/{key}/discard', {
        path: { service, key },
        body: { reason: reason.trim() },
      }),
    onSuccess() {
      void queries.invalidateQueries({ queryKey: PARKED })
      onClose()
    },
  })
  return (
    <Dialog title={words.discardTitle} onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (reason.trim() !== '' && !discarding.isPending) discarding.mutate()
        }}
      >
        <p>{words.discardText}</p>
        <TextField
          label={words.reason}
          value={reason}
          maxLength={500}
          onText={setReason}
          error={discarding.error ? problemText(discarding.error, say) : undefined}
        />
        <div className="actions">
          <button type="button" className="button quiet" onClick={onClose}>
            {say('cancel')}
          </button>
          <button className="button danger" aria-disabled={reason.trim() === ''}>
            {words.discard}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
