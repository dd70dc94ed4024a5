import '../styles/me.css'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { api } from '../api.ts'
import { dayOf, moneyOf } from '../format.ts'
import { useLanguage, useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { More } from '../parts/more.tsx'
import { PostGrid, PostSkeletons } from '../parts/post-card.tsx'
import { Problem } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { postsOf, usePosts, useWishedPosts } from '../state/posts.ts'
import { useMe } from '../state/session.ts'
import { useKeyword, useKeywords } from './keyword-offer.tsx'

const TABS = ['posts', 'wishes', 'keywords', 'wallet'] as const

export function Page() {
  const say = useSay()
  const me = useMe()!
  const [search, setSearch] = useSearchParams()
  const tab = TABS.find((one) => one === search.get('tab')) ?? 'posts'
  return (
    <main id="main" className="wrap page">
      <div className="profile">
        <Avatar user={me} size="large" />
        <div>
          <Heading title={me.displayName} pageTitle={say('shell.me')} />
          <p className="quiet-text">{[me.username, me.statusMessage].filter(Boolean).join(' · ')}</p>
        </div>
        <nav aria-label={say('me.places')}>
          <Link className="button quiet tiny" to="/friends">
            {say('shell.friends')}
          </Link>
          <Link className="button quiet tiny" to="/settings">
            {say('shell.settings')}
          </Link>
          {me.role === 'admin' && (
            <Link className="button quiet tiny" to="/admin/sagas">
              {say('shell.operations')}
            </Link>
          )}
        </nav>
      </div>
      <div className="segments tabs-of-me" role="group" aria-label={say('me.tabs')}>
        {TABS.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === tab}
            onClick={() => setSearch({ tab: one }, { replace: true })}
          >
            {say(`me.${one}`)}
          </button>
        ))}
      </div>
      {tab === 'posts' ? (
        <Posts userId={me.id} />
      ) : tab === 'wishes' ? (
        <Wishes />
      ) : tab === 'keywords' ? (
        <Keywords />
      ) : (
        <Wallet />
      )}
    </main>
  )
}

function Listed({ posts, empty }: { posts: ReturnType<typeof usePosts>; empty: React.ReactNode }) {
  const items = postsOf(posts.data)
  if (posts.isError && !posts.data) return <Problem error={posts.error} retry={() => void posts.refetch()} />
  if (!posts.data) return <PostSkeletons count={4} />
  if (items.length === 0) return empty
  return (
    <>
      <PostGrid posts={items} />
      {posts.hasNextPage && <More busy={posts.isFetchingNextPage} onMore={() => void posts.fetchNextPage()} />}
    </>
  )
}

function Posts({ userId }: { userId: string }) {
  const say = useSay()
  return (
    <Listed
      posts={usePosts({ sellerId: userId })}
      empty={
        <Empty title={say('me.noPosts')} text={say('me.noPostsText')}>
          <Link className="button" to="/posts/new">
            <Icon name="plus" small />
            {say('me.firstPost')}
          </Link>
        </Empty>
      }
    />
  )
}

function Wishes() {
  const say = useSay()
  return (
    <Listed
      posts={useWishedPosts()}
      empty={
        <Empty title={say('me.noWishes')} text={say('me.noWishesText')}>
          <Link className="button" to="/">
            {say('shell.browse')}
          </Link>
        </Empty>
      }
    />
  )
}

function Keywords() {
  const say = useSay()
  const { data: keywords = [] } = useKeywords()
  const { mutate } = useKeyword()
  const [text, setText] = useState('')
  const [isWrong, setWrong] = useState(false)
  return (
    <section className="narrow">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const keyword = text.trim()
          const length = Array.from(keyword).length
          setWrong(length < 2 || length > 30)
          if (length < 2 || length > 30) return
          mutate({ keyword, wanted: true })
          setText('')
        }}
      >
        <TextField
          label={say('field.keyword')}
          value={text}
          onText={setText}
          hint={say('keyword.text')}
          error={isWrong ? say('bad.keyword') : undefined}
        />
        <div className="actions">
          <button className="button">{say('save')}</button>
        </div>
      </form>
      <ul className="list" aria-label={say('keyword.title')}>
        {keywords.map((keyword) => (
          <li key={keyword} className="person">
            <b>{keyword}</b>
            <button
              type="button"
              className="icon-button keyword-remove"
              aria-label={say('keyword.remove', { keyword })}
              onClick={() => mutate({ keyword, wanted: false })}
            >
              <Icon name="close" small />
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Wallet() {
  const say = useSay()
  const language = useLanguage()
  const {
    data: wallet,
    error,
    refetch,
  } = useQuery({ queryKey: ['wallet'], queryFn: ({ signal }) => api('GET /api/me/wallet', { signal }) })
  if (error && !wallet) return <Problem error={error} retry={() => void refetch()} />
  if (!wallet) return null
  return (
    <section className="narrow">
      <p className="balance">{moneyOf(wallet.balance, say)}</p>
      {wallet.entries.items.length === 0 ? (
        <p className="quiet-text">{say('me.noEntries')}</p>
      ) : (
        <dl className="facts">
          {wallet.entries.items.map(({ id, amount, createdAt }) => (
            <div key={id}>
              <dt>{dayOf(createdAt, language)}</dt>
              <dd>{moneyOf(amount, say)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
