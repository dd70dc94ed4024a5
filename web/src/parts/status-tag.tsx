import type { PostStatus } from '../contract.ts'
import { useSay } from '../language.ts'

/** Whether a post is reserved or sold; nothing for an open one. */
export function StatusTag({ status }: { status: PostStatus }) {
  const say = useSay()
  if (status === 'open') return null
  return <span className={`tag ${status === 'sold' ? 'solid' : 'warn'}`}>{say(`post.${status}`)}</span>
}
