import { useMutation } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import { api } from '../api.ts'
import type { Post } from '../contract.ts'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { problemText } from '../parts/problem.tsx'
import { toast } from '../shell/toasts.tsx'
import { putRoom } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'

/** Opens the room of this post and user, or goes on in it. */
export function ChatButton({ post, roomId }: { post: Post; roomId: string | undefined }) {
  const say = useSay()
  const me = useMe()
  const navigate = useNavigate()
  const opening = useMutation({
    mutationFn: () => api('POST /api/rooms', { body: { type: 'trade', postId: post.id } }),
    onSuccess(room) {
      putRoom(room)
      void navigate(`/rooms/${room.id}`)
    },
    onError: (error) => toast(problemText(error, say)),
  })
  const isClosed = post.status !== 'open' && roomId === undefined
  return (
    <button
      type="button"
      className="button"
      aria-disabled={opening.isPending || isClosed}
      onClick={() => {
        if (!me) void navigate(`/log-in?to=/posts/${post.id}`)
        else if (roomId !== undefined) void navigate(`/rooms/${roomId}`)
        else if (isClosed) toast(say('problem.post_not_open'))
        else if (!opening.isPending) opening.mutate()
      }}
    >
      <Icon name="chat" />
      {say(roomId === undefined ? 'post.chat' : 'post.chatOn')}
    </button>
  )
}
