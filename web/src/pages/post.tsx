import '../styles/post.css'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { ApiError } from '../api.ts'
import type { Post, Saga } from '../contract.ts'
import { priceOf } from '../format.ts'
import { useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { Late } from '../parts/late.tsx'
import { PostGrid } from '../parts/post-card.tsx'
import { Problem } from '../parts/problem.tsx'
import { StatusTag } from '../parts/status-tag.tsx'
import { Time } from '../parts/time.tsx'
import { SagaSteps } from '../parts/saga-steps.tsx'
import { WishButton } from '../parts/wish-button.tsx'
import { postsOf, usePost, usePosts } from '../state/posts.ts'
import { useRooms } from '../state/rooms.ts'
import { hasEnded, useSaga } from '../state/saga.ts'
import { useMe } from '../state/session.ts'
import { ChatButton } from './chat-button.tsx'
import { Gallery } from './gallery.tsx'
import { OwnPost } from './own-post.tsx'

const SIMILAR = 4

export function Page() {
  const { id = '' } = useParams()
  return <PostOrDeletion key={id} id={id} />
}

/** One that was deleted here a moment ago is not asked for any more: it is shown what becomes of it. */
function PostOrDeletion({ id }: { id: string }) {
  const [deletion, setDeletion] = useState<Saga>()
  return deletion ? <PostDeletion first={deletion} /> : <PostById id={id} onDeletion={setDeletion} />
}

function PostDeletion({ first }: { first: Saga }) {
  const say = useSay()
  const { saga = first } = useSaga(first.type, first.id, first)
  return (
    <main id="main" className="wrap page narrow">
      <SagaSteps saga={saga}>
        {hasEnded(saga) && (
          <div className="actions">
            <Link className="button" to="/">
              {say('shell.browse')}
            </Link>
          </div>
        )}
      </SagaSteps>
    </main>
  )
}

function PostById({ id, onDeletion }: { id: string; onDeletion: (saga: Saga) => void }) {
  const { data: post, error, refetch } = usePost(id)
  const isGone = error instanceof ApiError && error.status === 404
  if (isGone) return <Gone />
  if (post) return <Shown post={post} onDeletion={onDeletion} />
  return (
    <main id="main" className="wrap page">
      {error ? <Problem error={error} retry={() => void refetch()} /> : <PostSkeleton />}
    </main>
  )
}

function Shown({ post, onDeletion }: { post: Post; onDeletion: (saga: Saga) => void }) {
  const say = useSay()
  const me = useMe()
  const rooms = useRooms()
  const room = rooms?.find((one) => one.type === 'trade' && one.post?.id === post.id)
  const isMine = me?.id === post.seller.id
  const act = isMine ? <OwnPost post={post} onDeletion={onDeletion} /> : <ChatButton post={post} roomId={room?.id} />
  return (
    <main id="main" className="wrap post-page">
      <nav className="crumbs only-wide" aria-label={say('post.place')}>
        <Link to="/">{say('shell.browse')}</Link>
        {post.category && (
          <>
            <Icon name="forward" small />
            <Link to={`/?category=${post.category}`}>{say(`category.${post.category}`)}</Link>
          </>
        )}
      </nav>
      <Link className="icon-button over only-narrow" to="/" aria-label={say('back')}>
        <Icon name="back" />
      </Link>
      <Gallery post={post} />
      <section className="info" aria-label={post.title}>
        <StatusTag status={post.status} />
        <Heading title={post.title} />
        <p className="big">{priceOf(post.price, say)}</p>
        <p className="details">
          {post.category && <span>{say(`category.${post.category}`)}</span>}
          <span>
            <Time at={post.createdAt} />
          </span>
          <span>{say('post.views', { count: post.views })}</span>
          <span>{say('post.wishes', { count: post.wishes })}</span>
        </p>
        <div className="seller">
          <Avatar user={post.seller} size="large" />
          <div>
            <b>{post.seller.displayName}</b>
            <small>{post.seller.statusMessage}</small>
          </div>
        </div>
        <div className="read">
          {post.content.split(/\n{2,}/).map((text, i) => (
            <p key={i}>{text}</p>
          ))}
        </div>
        <div className="act only-wide">
          {!isMine && <WishButton post={post} large />}
          {act}
        </div>
        {!isMine && post.status === 'reserved' && <p className="quiet-text">{say('post.reservedHint')}</p>}
      </section>
      <More post={post} />
      <section className="dock only-narrow" aria-label={say('post.trade')}>
        {!isMine && <WishButton post={post} large />}
        <p className="dock-price">
          <b>{priceOf(post.price, say)}</b>
          {post.status !== 'open' && <small>{say(`post.${post.status}`)}</small>}
        </p>
        {act}
      </section>
    </main>
  )
}

function More({ post: { id, seller } }: { post: Post }) {
  const say = useSay()
  const { data } = usePosts({ sellerId: seller.id })
  const others = postsOf(data).filter((post) => post.id !== id)
  if (others.length === 0) return null
  return (
    <section className="more-posts">
      <h2>{say('post.more', { name: seller.displayName })}</h2>
      <PostGrid posts={others.slice(0, SIMILAR)} level="h3" />
    </section>
  )
}

function Gone() {
  const say = useSay()
  const { data } = usePosts({ status: 'open' })
  return (
    <main id="main" className="wrap page">
      <div className="empty">
        <Heading title={say('post.gone')} />
        <p>{say('post.goneText')}</p>
        <Link className="button" to="/">
          {say('shell.browse')}
        </Link>
      </div>
      <PostGrid posts={postsOf(data).slice(0, SIMILAR)} />
    </main>
  )
}

function PostSkeleton() {
  const say = useSay()
  return (
    <Late>
      <div className="post-page" role="status" aria-label={say('loading')}>
        <div className="skeleton big-photo" />
        <div>
          <span className="skeleton" />
          <br />
          <span className="skeleton short" />
        </div>
      </div>
    </Late>
  )
}
