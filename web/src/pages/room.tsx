import '../styles/room.css'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { api, ApiError } from '../api.ts'
import type { Room } from '../contract.ts'
import { fullTimeOf } from '../format.ts'
import { useLanguage, useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { RowSkeletons } from '../parts/late.tsx'
import { Problem } from '../parts/problem.tsx'
import { keepLoaded, loadAgain, patiently } from '../state/live.ts'
import { loadMessages, useMessages } from '../state/messages.ts'
import { usePresence } from '../state/presence.ts'
import { knownRooms, nameOf, othersIn, putRoom, roomKey, roomsNow, useRoom, useRooms } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'
import { useTyping } from '../state/typing.ts'
import { Composer } from './composer.tsx'
import { MessageLog } from './message-log.tsx'
import { RoomPost } from './room-post.tsx'
import { useReading } from './reading.ts'

/** Few open it, so it does not come with the first load. */
const RoomSettings = lazy(async () => ({ default: (await import('./room-settings.tsx')).RoomSettings }))

export function Page() {
  const { id = '' } = useParams()
  return <RoomPage key={id} id={id} />
}

function RoomPage({ id }: { id: string }) {
  const room = useRoom(id)
  const areKnown = useRooms() !== undefined
  const [troubleWithMessages, setTrouble] = useState<unknown>()
  // One that was opened a moment ago may not be in the list yet.
  const { data, error, refetch } = useQuery<Room | null>({
    queryKey: roomKey(id),
    queryFn: async ({ signal }) => {
      const found = await api('GET /api/rooms/{id}', { path: { id }, signal })
      if (!roomsNow()?.some((one) => one.id === id)) putRoom(found)
      return found
    },
    enabled: areKnown && !room,
    staleTime: ({ state }) => (state.data === null ? Infinity : 0),
    retry: false,
  })
  // Without waiting for the list of rooms, which says how many of them are new.
  useEffect(
    () =>
      keepLoaded(`messages/${id}`, ({ signal }) =>
        patiently('messages', async () => {
          try {
            await loadMessages(id, () => firstUnread(id, signal), signal)
            setTrouble(undefined)
          } catch (thrown) {
            if (!signal.aborted) setTrouble(thrown)
            throw thrown
          }
        }),
      ),
    [id],
  )
  if (room) return <OpenRoom room={room} trouble={troubleWithMessages} />
  return (
    <main id="main" className="room">
      {data === null ? <Gone /> : error ? <NoRoom error={error} retry={() => void refetch()} /> : <Waiting />}
    </main>
  )
}

/** Infinity when there is none. */
async function firstUnread(id: string, signal: AbortSignal): Promise<number> {
  const room = (await knownRooms(signal)).find((one) => one.id === id)
  return room && room.unread > 0 ? room.lastReadSeq + 1 : Infinity
}

function Waiting() {
  return <RowSkeletons label={useSay()('loading')} />
}

function NoRoom({ error, retry }: { error: unknown; retry: () => void }) {
  const isGone = error instanceof ApiError && error.status === 404
  return isGone ? <Gone /> : <Problem error={error} retry={retry} />
}

function Gone() {
  const say = useSay()
  return (
    <div className="empty">
      <Heading title={say('room.gone')} />
      <p>{say('room.goneText')}</p>
      <Link className="button" to="/rooms">
        {say('shell.chats')}
      </Link>
    </div>
  )
}

/** `trouble`: why its messages could not be fetched. */
function OpenRoom({ room, trouble }: { room: Room; trouble: unknown }) {
  const say = useSay()
  const me = useMe()!
  const navigate = useNavigate()
  const { id } = room
  const name = nameOf(room, me.id)
  const [other] = othersIn(room, me.id)
  const { data: messages } = useMessages(id)
  const [hasSettings, setSettings] = useState(false)
  /** What was read when the room was opened: the line stays there until one leaves. */
  const [readAtFirst] = useState(room.unread > 0 ? room.lastReadSeq : undefined)
  const typists = useTyping()(id)
  const onSeen = useReading(room)

  useViewportHeight()

  return (
    <main
      id="main"
      className="room"
      onKeyDown={(event) => {
        const isInDialog = event.target instanceof Element && event.target.closest('dialog')
        if (event.key === 'Escape' && !event.nativeEvent.isComposing && !isInDialog) void navigate('/rooms')
      }}
    >
      <header className="room-head">
        <Link className="icon-button only-narrow" to="/rooms" aria-label={say('room.back')}>
          <Icon name="back" />
        </Link>
        <WhoIsThere room={room} name={name} otherId={room.type === 'group' ? undefined : other?.id} />
        <button
          type="button"
          className="icon-button"
          aria-label={say('room.settings')}
          onClick={() => setSettings(true)}
        >
          <Icon name="more" />
        </button>
      </header>
      {room.post && <RoomPost post={room.post} />}
      {messages ? (
        <MessageLog room={room} messages={messages} me={me} readAtFirst={readAtFirst} onSeen={onSeen} />
      ) : (
        <div className="log">
          {trouble === undefined ? <Waiting /> : <Problem error={trouble} retry={() => loadAgain(`messages/${id}`)} />}
        </div>
      )}
      <p className="typing">
        {typists.length > 0 && (
          <>
            <i aria-hidden="true" />
            {say('room.isTyping', {
              name: room.members.find(({ user }) => user.id === typists[0])?.user.displayName ?? '',
            })}
          </>
        )}
      </p>
      <Composer room={room} me={me} />
      {hasSettings && (
        <Suspense>
          <RoomSettings room={room} onClose={() => setSettings(false)} />
        </Suspense>
      )}
    </main>
  )
}

function WhoIsThere({ room, name, otherId }: { room: Room; name: string; otherId: string | undefined }) {
  const say = useSay()
  const language = useLanguage()
  const presence = usePresence(otherId === undefined ? [] : [otherId])
  const there = otherId === undefined ? undefined : presence(otherId)
  const about =
    room.type === 'group'
      ? say('room.members', { count: room.members.length })
      : there?.online
        ? say('room.online')
        : there?.lastSeenAt && say('room.lastSeen', { time: fullTimeOf(there.lastSeenAt, language) })
  return (
    <>
      <Avatar name={name} id={otherId ?? room.id} presence={there} />
      <div>
        <Heading title={name} />
        {/* Its line is kept free while it is being asked. */}
        {(about || (otherId !== undefined && !there)) && <small>{about}</small>}
      </div>
    </>
  )
}

/** On iOS the keyboard covers the page: what is left of it is the height of the room. */
function useViewportHeight(): void {
  useEffect(() => {
    const viewport = window.visualViewport
    if (!viewport) return
    const { style } = document.documentElement
    const fit = (): void => style.setProperty('--viewport', `${viewport.height}px`)
    fit()
    viewport.addEventListener('resize', fit)
    return () => {
      viewport.removeEventListener('resize', fit)
      style.removeProperty('--viewport')
    }
  }, [])
}
