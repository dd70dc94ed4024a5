import { useSay } from '../language.ts'
import { Dialog } from './dialog.tsx'

/** A question with a way back and a way on, which can be taken once. `action`: what the way on is called. */
export function Confirmation({
  title,
  action,
  isDanger = false,
  isBusy,
  onConfirm,
  onClose,
  children,
}: {
  title: string
  action: string
  isDanger?: boolean
  isBusy: boolean
  onConfirm: () => void
  onClose: () => void
  children: React.ReactNode
}) {
  const say = useSay()
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div className="actions">
        <button type="button" className="button quiet" onClick={onClose}>
          {say('cancel')}
        </button>
        <button
          type="button"
          className={isDanger ? 'button danger' : 'button'}
          aria-disabled={isBusy}
          onClick={() => {
            if (!isBusy) onConfirm()
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  )
}
