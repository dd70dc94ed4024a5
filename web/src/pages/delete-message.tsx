import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { createPortal } from 'react-dom'
import { api } from '../api.ts'
import type { Message } from '../contract.ts'
import { useSay } from '../language.ts'
import { Confirmation } from '../parts/confirmation.tsx'
import { Icon } from '../parts/icon.tsx'
import { problemText } from '../parts/problem.tsx'
import { toast } from '../shell/toasts.tsx'
import { loadAgain } from '../state/live.ts'
import { showMessage } from '../state/messages.ts'

/** Beside a message of one's own. A tombstone has no such button: with it goes the question that it asked. */
export function DeleteMessage({
  message,
  isTabStop,
  describedBy,
}: {
  message: Message
  isTabStop: boolean
  describedBy: string
}) {
  const say = useSay()
  const [asks, setAsks] = useState(false)
  return (
    <>
      <button
        type="button"
        className="erase"
        tabIndex={isTabStop ? 0 : -1}
        aria-label={say('message.delete')}
        aria-describedby={describedBy}
        onClick={() => setAsks(true)}
      >
        <Icon name="trash" small />
      </button>
      {/* Not in the log: what comes into it is read out as something that was said. */}
      {asks && createPortal(<Confirm message={message} onClose={() => setAsks(false)} />, document.body)}
    </>
  )
}

/** Makes a tombstone of it at once. Refused, the message is back, and it is said why. */
function Confirm({ message, onClose }: { message: Message; onClose: () => void }) {
  const say = useSay()
  const { roomId, seq, imageId: _, ...rest } = message
  const deletion = useMutation({
    mutationFn: () => api('DELETE /api/rooms/{id}/messages/{seq}', { path: { id: roomId, seq: String(seq) } }),
    onMutate: () => showMessage({ ...rest, roomId, seq, text: null, deletedAt: new Date().toISOString() }),
    onError(error) {
      showMessage(message)
      toast(problemText(error, say))
      // Where only the answer was lost, it is a tombstone all the same.
      loadAgain(`messages/${roomId}`)
    },
  })
  return (
    <Confirmation
      title={say('message.deleteTitle')}
      action={say('message.delete')}
      isDanger
      isBusy={deletion.isPending}
      onConfirm={deletion.mutate}
      onClose={onClose}
    >
      <p>{say('message.deleteText')}</p>
    </Confirmation>
  )
}
