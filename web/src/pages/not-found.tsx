import { Link } from 'react-router'
import { useSay } from '../language.ts'
import { Heading } from '../parts/heading.tsx'

export function Page() {
  const say = useSay()
  return (
    <main id="main" className="wrap empty">
      <Heading title={say('notFound.title')} />
      <p>{say('notFound.text')}</p>
      <Link className="button" to="/">
        {say('shell.browse')}
      </Link>
    </main>
  )
}
