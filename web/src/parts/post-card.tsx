import '../styles/posts.css'
import { Link } from 'react-router'
import type { Post } from '../contract.ts'
import { priceOf } from '../format.ts'
import { useSay } from '../language.ts'
import { Late } from './late.tsx'
import { Picture } from './picture.tsx'
import { StatusTag } from './status-tag.tsx'
import { Time } from './time.tsx'
import { WishButton } from './wish-button.tsx'

const SIZES = '(min-width: 56rem) 16rem, (min-width: 40rem) 33vw, 50vw'

function PostCard({ post, first = false, level: Title = 'h2' }: { post: Post; first?: boolean; level?: 'h2' | 'h3' }) {
  const say = useSay()
  return (
    <article className={`post ${post.status}`}>
      <div className="photo">
        <Picture image={post.images[0]} sizes={SIZES} first={first} />
      </div>
      <StatusTag status={post.status} />
      <Title>
        <Link to={`/posts/${post.id}`}>{post.title}</Link>
      </Title>
      <p className={`price${post.price === 0 ? ' free' : ''}`}>{priceOf(post.price, say)}</p>
      <p className="meta">
        <Time at={post.createdAt} /> · {say('post.wishes', { count: post.wishes })}
      </p>
      <WishButton post={post} />
    </article>
  )
}

export function PostGrid({ posts, level }: { posts: readonly Post[]; level?: 'h2' | 'h3' }) {
  return (
    <div className="grid">
      {posts.map((post, i) => (
        <PostCard key={post.id} post={post} first={i < 4} {...(level && { level })} />
      ))}
    </div>
  )
}

/** Cards in the shape of what comes. */
export function PostSkeletons({ count = 8 }: { count?: number }) {
  const say = useSay()
  return (
    <Late>
      <div className="grid" role="status" aria-label={say('loading')}>
        {Array.from({ length: count }, (_, i) => (
          <div key={i} className="post">
            <div className="photo skeleton" />
            <span className="skeleton" />
            <span className="skeleton short" />
          </div>
        ))}
      </div>
    </Late>
  )
}
