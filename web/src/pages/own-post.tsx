import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { api } from '../api.ts'
import type { Post, PostStatus, Saga } from '../contract.ts'
import { useSay } from '../language.ts'
import { Confirmation } from '../parts/confirmation.tsx'
import { problemText } from '../parts/problem.tsx'
import { toast } from '../shell/toasts.tsx'
import { changePost, forgetPosts } from '../state/posts.ts'
import { queries } from '../state/queries.ts'
import { othersIn, useRooms } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'

/** What a seller does with a post: change it, reserve it, sell it, delete it. */
export function OwnPost({ post, onDeletion }: { post: Post; onDeletion: (saga: Saga) => void }) {
  const say = useSay()
  const [asks, setAsks] = useState<'sold' | 'delete'>()
  const status = useMutation({
    mutationFn: (body: { status: PostStatus; buyerId?: string }) =>
      api('PUT /api/posts/{id}/status', { path: { id: post.id }, body }),
    onSuccess: (changed) => changePost(post.id, () => changed),
    onError(error) {
      toast(problemText(error, say))
      void queries.invalidateQueries({ queryKey: ['post', post.id] })
    },
    onSettled: () => setAsks(undefined),
  })
  const set = (next: PostStatus): void => {
    if (!status.isPending) status.mutate({ status: next })
  }
  return (
    <div className="own">
      <Link className="button quiet" to={`/posts/${post.id}/edit`}>
        {say('post.edit')}
      </Link>
      {post.status === 'open' && (
        <button type="button" className="button quiet" onClick={() => set('reserved')}>
          {say('post.reserve')}
        </button>
      )}
      {post.status === 'reserved' && (
        <button type="button" className="button quiet" onClick={() => set('open')}>
          {say('post.reopen')}
        </button>
      )}
      {post.status !== 'sold' && (
        <button type="button" className="button" onClick={() => setAsks('sold')}>
          {say('post.sell')}
        </button>
      )}
      <button type="button" className="button bad" onClick={() => setAsks('delete')}>
        {say('post.delete')}
      </button>
      {asks === 'sold' && (
        <Sell post={post} busy={status.isPending} onSell={status.mutate} onClose={() => setAsks(undefined)} />
      )}
      {asks === 'delete' && <Delete post={post} onDeletion={onDeletion} onClose={() => setAsks(undefined)} />}
    </div>
  )
}

const useRoomsOf = (postId: string) =>
  useRooms()?.filter((room) => room.type === 'trade' && room.post?.id === postId) ?? []

function Sell({
  post,
  busy,
  onSell,
  onClose,
}: {
  post: Post
  busy: boolean
  onSell: (body: { status: PostStatus; buyerId?: string }) => void
  onClose: () => void
}) {
  const say = useSay()
  const me = useMe()!
  const buyers = useRoomsOf(post.id).flatMap((room) => othersIn(room, me.id))
  const [buyerId, setBuyerId] = useState('')
  return (
    <Confirmation
      title={say('post.sellTitle')}
      action={say('post.sell')}
      isBusy={busy}
      onConfirm={() => onSell({ status: 'sold', ...(buyerId && { buyerId }) })}
      onClose={onClose}
    >
      <p>{say('post.sellText')}</p>
      {buyers.length > 0 && (
        <div className="field">
          <label htmlFor="buyer">{say('post.buyer')}</label>
          <select id="buyer" value={buyerId} onChange={({ currentTarget }) => setBuyerId(currentTarget.value)}>
            <option value="">{say('post.buyerNone')}</option>
            {buyers.map(({ id, displayName }) => (
              <option key={id} value={id}>
                {displayName}
              </option>
            ))}
          </select>
        </div>
      )}
    </Confirmation>
  )
}

function Delete({ post, onDeletion, onClose }: { post: Post; onDeletion: (saga: Saga) => void; onClose: () => void }) {
  const say = useSay()
  const rooms = useRoomsOf(post.id)
  const messages = rooms.reduce((sum, { lastSeq }) => sum + lastSeq, 0)
  const deletion = useMutation({
    mutationFn: () => api('DELETE /api/posts/{id}', { path: { id: post.id } }),
    onSuccess(saga) {
      onDeletion(saga)
      forgetPosts()
      queries.removeQueries({ queryKey: ['post', post.id] })
    },
    onError: (error) => toast(problemText(error, say)),
  })
  return (
    <Confirmation
      title={say('post.deleteTitle')}
      action={say('post.delete')}
      isDanger
      isBusy={deletion.isPending}
      onConfirm={deletion.mutate}
      onClose={onClose}
    >
      <p>{rooms.length === 0 ? say('post.deleteAlone') : say('post.deleteText', { rooms: rooms.length, messages })}</p>
    </Confirmation>
  )
}
