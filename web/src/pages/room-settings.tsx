import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { api } from '../api.ts'
import type { Room } from '../contract.ts'
import { useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { problemText } from '../parts/problem.tsx'
import { toast } from '../shell/toasts.tsx'
import { useBlocking, useBlocks, useFriends, useFriendship } from '../state/friends.ts'
import { dropRoom, hideRoom, othersIn, putRoom } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'
import { FriendChoice } from './friend-choice.tsx'

/** What one may do about a room: not be told of it, leave it, or bring others in. */
export function RoomSettings({ room, onClose }: { room: Room; onClose: () => void }) {
  const say = useSay()
  const me = useMe()!
  const navigate = useNavigate()
  const onError = (error: Error): void => toast(problemText(error, say))
  const muting = useMutation({
    mutationFn: (muted: boolean) => api('PATCH /api/rooms/{id}/me', { path: { id: room.id }, body: { muted } }),
    onSuccess(changed, muted) {
      putRoom(changed)
      toast(say(muted ? 'room.muted' : 'room.unmuted'), { undo: () => muting.mutate(!muted) })
    },
    onError,
  })
  const leave = async (): Promise<void> => {
    // Away from its page first, which would ask where the room is.
    await navigate('/rooms')
    const putBack = hideRoom(room.id)
    toast(say('room.left', { name: room.name ?? '' }), {
      undo: putBack,
      // Nobody comes back into a group by themselves.
      commit: (onLeave) =>
        void api('DELETE /api/rooms/{id}/members/me', { path: { id: room.id }, keepalive: onLeave })
          .then(() => dropRoom(room.id), onError)
          .finally(putBack),
    })
  }
  return (
    <Dialog title={say('room.settings')} onClose={onClose}>
      <ul className="list">
        {othersIn(room, me.id).map((user) => (
          <li key={user.id} className="person">
            <Avatar user={user} />
            <div>
              <b>{user.displayName}</b>
              <small>{user.username}</small>
            </div>
            {room.type !== 'group' && <Block userId={user.id} />}
          </li>
        ))}
      </ul>
      {room.type === 'group' && <AddFriends room={room} />}
      <div className="actions">
        <button
          type="button"
          className="button quiet"
          aria-pressed={room.muted}
          onClick={() => muting.mutate(!room.muted)}
        >
          {say('room.mute')}
        </button>
        {room.type === 'group' && (
          <button type="button" className="button bad" onClick={() => void leave()}>
            {say('room.leave')}
          </button>
        )}
        <button type="button" className="button" onClick={onClose}>
          {say('close')}
        </button>
      </div>
    </Dialog>
  )
}

function Block({ userId }: { userId: string }) {
  const say = useSay()
  const { data: blocks = [] } = useBlocks()
  const { data: friends = [] } = useFriends()
  const blocking = useBlocking()
  const friendship = useFriendship()
  const isBlocked = blocks.some(({ user }) => user.id === userId)
  const isFriend = friends.some(({ user }) => user.id === userId)
  return (
    <>
      {!isFriend && (
        <button type="button" className="button tiny" onClick={() => friendship.mutate({ userId, wanted: true })}>
          {say('friends.add')}
        </button>
      )}
      <button
        type="button"
        className="button bad tiny"
        aria-pressed={isBlocked}
        onClick={() => blocking.mutate({ userId, wanted: !isBlocked })}
      >
        {say('friends.block')}
      </button>
    </>
  )
}

function AddFriends({ room }: { room: Room }) {
  const say = useSay()
  const { data: friends = [] } = useFriends()
  const [chosen, setChosen] = useState<string[]>([])
  const adding = useMutation({
    mutationFn: () => api('POST /api/rooms/{id}/members', { path: { id: room.id }, body: { userIds: chosen } }),
    onSuccess(changed) {
      putRoom(changed)
      setChosen([])
    },
    onError: (error) => toast(problemText(error, say)),
  })
  const others = friends.filter(({ user }) => !room.members.some((member) => member.user.id === user.id))
  if (others.length === 0) return null
  return (
    <>
      <FriendChoice friends={others} chosen={chosen} onChosen={setChosen} />
      {chosen.length > 0 && (
        <button type="button" className="button" onClick={() => adding.mutate()}>
          {say('room.add')}
        </button>
      )}
    </>
  )
}
