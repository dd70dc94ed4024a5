import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useNavigate } from 'react-router'
import { api } from '../api.ts'
import type { User } from '../contract.ts'
import { useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { RowSkeletons } from '../parts/late.tsx'
import { Problem, problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { toast } from '../shell/toasts.tsx'
import { useBlocking, useBlocks, useFriends, useFriendship } from '../state/friends.ts'
import { usePresence } from '../state/presence.ts'
import { putRoom } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'

const ASK_AFTER_MS = 300

export function Page() {
  const say = useSay()
  const friends = useFriends()
  const presence = usePresence(friends.data?.map(({ user }) => user.id) ?? [])
  const friendship = useFriendship()
  const remove = (user: User): void =>
    friendship.mutate(
      { userId: user.id, wanted: false },
      {
        onSuccess: () =>
          toast(say('friends.removed', { name: user.displayName }), {
            undo: () => friendship.mutate({ userId: user.id, wanted: true }),
          }),
        onError: (error) => toast(problemText(error, say)),
      },
    )
  return (
    <main id="main" className="wrap page narrow">
      <Heading title={say('shell.friends')} />
      <Finder known={friends.data?.map(({ user }) => user.id) ?? []} />
      <h2 className="hush">{say('shell.friends')}</h2>
      {friends.isError && !friends.data ? (
        <Problem error={friends.error} retry={() => void friends.refetch()} />
      ) : !friends.data ? (
        <RowSkeletons label={say('loading')} />
      ) : friends.data.length === 0 ? (
        <Empty title={say('friends.none')} text={say('friends.noneText')} />
      ) : (
        <ul className="list" aria-label={say('shell.friends')}>
          {friends.data.map(({ user }) => {
            const there = presence(user.id)
            return (
              <li key={user.id} className="person">
                <Avatar user={user} presence={there} />
                <div>
                  <b>{user.displayName}</b>
                  <small>
                    {[there?.online ? say('room.online') : '', user.statusMessage].filter(Boolean).join(' · ')}
                  </small>
                </div>
                <Talk user={user} />
                <button type="button" className="button quiet tiny" onClick={() => remove(user)}>
                  {say('friends.remove')}
                </button>
              </li>
            )
          })}
        </ul>
      )}
      <Blocks />
    </main>
  )
}

function Talk({ user }: { user: User }) {
  const say = useSay()
  const navigate = useNavigate()
  const opening = useMutation({
    mutationFn: () => api('POST /api/rooms', { body: { type: 'direct', userId: user.id } }),
    onSuccess(room) {
      putRoom(room)
      void navigate(`/rooms/${room.id}`)
    },
    onError: (error) => toast(problemText(error, say)),
  })
  return (
    <button type="button" className="button tiny" aria-disabled={opening.isPending} onClick={() => opening.mutate()}>
      {say('friends.chat')}
    </button>
  )
}

/** People by the beginning of their names. */
function Finder({ known }: { known: string[] }) {
  const say = useSay()
  const me = useMe()!
  const [text, setText] = useState('')
  const [query, setQuery] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setQuery(text.trim()), ASK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [text])
  const { data } = useQuery({
    queryKey: ['users', query],
    queryFn: async ({ signal }) => (await api('GET /api/users', { query: { query, limit: 20 }, signal })).items,
    enabled: query !== '',
  })
  const friendship = useFriendship()
  const blocking = useBlocking()
  const onError = (error: Error): void => toast(problemText(error, say))
  const found = data?.filter(({ id }) => id !== me.id) ?? []
  return (
    <>
      <TextField
        label={say('friends.find')}
        type="search"
        value={text}
        onText={setText}
        hint={say('friends.findHint')}
      />
      {query !== '' && data && (
        <ul className="list" aria-label={say('friends.found')}>
          {found.length === 0 && <li className="person">{say('friends.nobody')}</li>}
          {found.map((user) => (
            <li key={user.id} className="person">
              <Avatar user={user} />
              <div>
                <b>{user.displayName}</b>
                <small>{user.username}</small>
              </div>
              <Talk user={user} />
              {!known.includes(user.id) && (
                <button
                  type="button"
                  className="button tiny"
                  onClick={() => friendship.mutate({ userId: user.id, wanted: true }, { onError })}
                >
                  {say('friends.add')}
                </button>
              )}
              <button
                type="button"
                className="button bad tiny"
                onClick={() => blocking.mutate({ userId: user.id, wanted: true }, { onError })}
              >
                {say('friends.block')}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Blocks() {
  const say = useSay()
  const { data: blocks = [] } = useBlocks()
  const blocking = useBlocking()
  if (blocks.length === 0) return null
  return (
    <section>
      <h2>{say('friends.blocks')}</h2>
      <ul className="list">
        {blocks.map(({ user }) => (
          <li key={user.id} className="person">
            <Avatar user={user} />
            <div>
              <b>{user.displayName}</b>
            </div>
            <button
              type="button"
              className="button quiet tiny"
              onClick={() => blocking.mutate({ userId: user.id, wanted: false })}
            >
              {say('friends.unblock')}
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
