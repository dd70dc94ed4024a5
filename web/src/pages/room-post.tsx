import { Link } from 'react-router'
import type { PostSummary } from '../contract.ts'
import { priceOf } from '../format.ts'
import { useSay } from '../language.ts'
import { Picture } from '../parts/picture.tsx'
import { StatusTag } from '../parts/status-tag.tsx'
import { usePost } from '../state/posts.ts'

/** What the chat is about. */
export function RoomPost({ post }: { post: PostSummary }) {
  const say = useSay()
  const { data } = usePost(post.id)
  return (
    <Link className="about" to={`/posts/${post.id}`}>
      <span className="about-photo">
        <Picture image={data?.images[0]} sizes="3rem" />
      </span>
      <div>
        <b>{post.title}</b>
        <strong>{data && priceOf(data.price, say)}</strong> <StatusTag status={post.status} />
      </div>
    </Link>
  )
}
