import { useLocation, useNavigate } from 'react-router'
import type { Post } from '../contract.ts'
import { useSay } from '../language.ts'
import { useWish } from '../state/posts.ts'
import { useMe } from '../state/session.ts'
import { Icon } from './icon.tsx'

export function WishButton({ post, large = false }: { post: Post; large?: boolean }) {
  const say = useSay()
  const me = useMe()
  const navigate = useNavigate()
  const { pathname, search } = useLocation()
  const wish = useWish(post)
  return (
    <button
      type="button"
      className={large ? 'heart' : 'wish'}
      aria-pressed={post.wished}
      aria-label={say('wish')}
      onClick={() => {
        if (me) wish.mutate(!post.wished)
        else void navigate(`/log-in?to=${encodeURIComponent(pathname + search)}`)
      }}
    >
      <i>
        <Icon name="heart" />
      </i>
    </button>
  )
}
