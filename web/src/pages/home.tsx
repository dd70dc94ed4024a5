import '../styles/home.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useSearchParams } from 'react-router'
import { api } from '../api.ts'
import { CATEGORIES, type Post, type PostQuery, SORTS } from '../contract.ts'
import { useSay } from '../language.ts'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { More } from '../parts/more.tsx'
import { PostGrid, PostSkeletons } from '../parts/post-card.tsx'
import { Problem } from '../parts/problem.tsx'
import { searchWith } from '../search.ts'
import { askedIn, isShort, postsOf, usePosts } from '../state/posts.ts'
import { KeywordOffer } from './keyword-offer.tsx'

const LOOK_MS = 60_000

/** Search, category, status and order are in the address: they can be kept, shared and gone back to. */
export function Page() {
  const say = useSay()
  const [search, setSearch] = useSearchParams()
  const asked = askedIn(search)
  const { query, category, status, sort } = asked
  const tooShort = isShort(query)
  const posts = usePosts(asked, !tooShort)
  const items = postsOf(posts.data)
  const fresh = useNewerThan(items[0], asked, posts.isSuccess)

  const set = (name: string, value: string): void =>
    setSearch((before) => searchWith(before, name, value), { preventScrollReset: true })
  const to = (value: string): { search: string } => ({ search: searchWith(search, 'category', value).toString() })
  const categories = (['', ...CATEGORIES] as const).map((one) => (
    <Link key={one} to={to(one)} aria-current={one === category ? 'true' : undefined} preventScrollReset>
      {say(one ? `category.${one}` : 'category.all')}
    </Link>
  ))
  const pill = fresh > 0 && (
    <button
      type="button"
      className="fresh"
      onClick={() => {
        window.scrollTo({ top: 0 })
        void posts.refetch()
      }}
    >
      <Icon name="up" small />
      {say('home.fresh', { count: fresh })}
    </button>
  )

  return (
    <main id="main" className="wrap home">
      <aside className="rail only-wide" aria-label={say('home.filters')}>
        <h2>{say('home.what')}</h2>
        <nav className="categories" aria-label={say('field.category')}>
          {categories}
        </nav>
        <KeywordOffer />
      </aside>
      <div>
        <nav className="chips only-narrow" aria-label={say('field.category')}>
          {categories}
        </nav>
        <div className="head">
          <Heading
            title={query ? say('home.found', { query }) : say('home.title')}
            pageTitle={query || say('shell.browse')}
          />
          <div className="waiting only-wide">{pill}</div>
          <label className="open-only">
            <span id="open-only">{say('home.open')}</span>
            <button
              type="button"
              className="switch"
              role="switch"
              aria-checked={status === 'open'}
              aria-labelledby="open-only"
              onClick={() => set('status', status ? '' : 'open')}
            />
          </label>
          <div className="segments" role="group" aria-label={say('home.sort')}>
            {SORTS.map((one) => (
              <button
                key={one}
                type="button"
                aria-pressed={one === sort}
                onClick={() => set('sort', one === 'latest' ? '' : one)}
              >
                {say(`sort.${one}`)}
              </button>
            ))}
          </div>
        </div>
        <div className="float only-narrow">{pill}</div>
        {tooShort ? (
          <Empty title={say('home.short')} text={say('home.shortText')} />
        ) : posts.isError && !posts.data ? (
          <Problem error={posts.error} retry={() => void posts.refetch()} />
        ) : !posts.data ? (
          <PostSkeletons />
        ) : items.length === 0 ? (
          <Empty title={say('home.nothing')} text={say(query ? 'home.nothingText' : 'home.noneText')}>
            {query ? (
              <KeywordOffer word={query} />
            ) : (
              <Link className="button" to="/posts/new">
                <Icon name="plus" small />
                {say('me.firstPost')}
              </Link>
            )}
          </Empty>
        ) : (
          <>
            <PostGrid posts={items} />
            {posts.hasNextPage && <More busy={posts.isFetchingNextPage} onMore={() => void posts.fetchNextPage()} />}
          </>
        )}
      </div>
    </main>
  )
}

/** How many posts have come since the first one that is shown. They wait until one asks for them. */
function useNewerThan(first: Post | undefined, query: PostQuery, isShown: boolean): number {
  const { data } = useQuery({
    queryKey: ['newest', query],
    queryFn: async ({ signal }) => (await api('GET /api/posts', { query: { ...query, limit: 24 }, signal })).items,
    enabled: isShown && query.sort === 'latest',
    // There are none yet when the list itself has just been fetched.
    initialData: [],
    refetchInterval: LOOK_MS,
    staleTime: LOOK_MS,
  })
  return data.filter(({ createdAt }) => !first || createdAt > first.createdAt).length
}
