import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { api } from '../api.ts'
import { useSay } from '../language.ts'
import { Dialog } from '../parts/dialog.tsx'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { useFriends } from '../state/friends.ts'
import { putRoom } from '../state/rooms.ts'
import { FriendChoice } from './friend-choice.tsx'

export function NewGroup({ onClose }: { onClose: () => void }) {
  const say = useSay()
  const navigate = useNavigate()
  const { data: friends } = useFriends()
  const [name, setName] = useState('')
  const [userIds, setUserIds] = useState<string[]>([])
  const making = useMutation({
    mutationFn: () => api('POST /api/rooms', { body: { type: 'group', name: name.trim(), userIds } }),
    onSuccess(room) {
      putRoom(room)
      onClose()
      void navigate(`/rooms/${room.id}`)
    },
  })
  const isReady = name.trim() !== '' && userIds.length > 0
  return (
    <Dialog title={say('rooms.newGroup')} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (isReady && !making.isPending) making.mutate()
        }}
      >
        <TextField label={say('field.groupName')} maxLength={60} value={name} onText={setName} />
        {friends?.length === 0 ? (
          <p>
            {say('rooms.noFriends')}{' '}
            <Link className="link" to="/friends" onClick={onClose}>
              {say('shell.friends')}
            </Link>
          </p>
        ) : (
          <FriendChoice friends={friends ?? []} chosen={userIds} onChosen={setUserIds} />
        )}
        {making.error && (
          <p className="wrong-form" role="alert">
            {problemText(making.error, say)}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button quiet" onClick={onClose}>
            {say('cancel')}
          </button>
          <button className="button" aria-disabled={!isReady || making.isPending}>
            {say('rooms.make')}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
