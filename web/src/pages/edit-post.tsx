import { useNavigate, useParams } from 'react-router'
import { api } from '../api.ts'
import { useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'
import { Problem } from '../parts/problem.tsx'
import { changePost, usePost } from '../state/posts.ts'
import { PostForm } from './post-form.tsx'

export function Page() {
  const say = useSay()
  const navigate = useNavigate()
  const { id = '' } = useParams()
  const { data: post, error, refetch } = usePost(id)
  return (
    <main id="main" className="wrap page narrow">
      <Heading title={say('post.edit')} />
      {post ? (
        <PostForm
          first={{ ...post, price: String(post.price), category: post.category ?? '' }}
          button={say('save')}
          onSubmit={async (body) => {
            const changed = await api('PATCH /api/posts/{id}', { path: { id }, body })
            changePost(id, () => changed)
            void navigate(`/posts/${id}`, { replace: true })
          }}
        />
      ) : (
        error && <Problem error={error} retry={() => void refetch()} />
      )}
    </main>
  )
}
