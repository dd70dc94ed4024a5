import { useState } from 'react'
import { useNavigate } from 'react-router'
import { api } from '../api.ts'
import { useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'
import { draftNow, keepDraft } from '../state/drafts.ts'
import { forgetPosts } from '../state/posts.ts'
import { queries } from '../state/queries.ts'
import { useMe } from '../state/session.ts'
import { EMPTY_POST, type PostContent, PostForm } from './post-form.tsx'

const DRAFT = 'new-post'

function readDraft(userId: string): PostContent {
  try {
    return { ...EMPTY_POST, ...(JSON.parse(draftNow(userId, DRAFT)) as Partial<PostContent>) }
  } catch {
    return EMPTY_POST
  }
}

/** What is written, and the photos that are uploaded, are kept until the post is there. */
export function Page() {
  const say = useSay()
  const me = useMe()!
  const navigate = useNavigate()
  const [first] = useState(() => readDraft(me.id))
  const [key] = useState(() => crypto.randomUUID())
  return (
    <main id="main" className="wrap page narrow">
      <Heading title={say('newPost.title')} pageTitle={say('shell.sell')} />
      <PostForm
        first={first}
        button={say('post.post')}
        onChange={(content) => keepDraft(me.id, DRAFT, JSON.stringify(content))}
        onSubmit={async (body) => {
          // Another text is another post.
          const { id } = await api('POST /api/posts', { body, idempotencyKey: `${key}-${await digest(body)}` })
          keepDraft(me.id, DRAFT, '')
          forgetPosts()
          void queries.invalidateQueries({ queryKey: ['newest'] })
          void navigate(`/posts/${id}`, { replace: true })
        }}
      />
    </main>
  )
}

async function digest(value: unknown): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(value)))
  return Array.from(new Uint8Array(bytes).subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
