import '../styles/rooms.css'
import { useRef, useState } from 'react'
import { Link, Outlet, useParams } from 'react-router'
import type { Room } from '../contract.ts'
import { useSay } from '../language.ts'
import { Mark } from '../parts/brand.tsx'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { RowSkeletons } from '../parts/late.tsx'
import { useOutbox } from '../state/outbox.ts'
import { usePresence } from '../state/presence.ts'
import { othersIn, useRooms } from '../state/rooms.ts'
import { useMe } from '../state/session.ts'
import { useTyping } from '../state/typing.ts'
import { NewGroup } from './new-group.tsx'
import { RoomRow } from './room-row.tsx'

const KINDS = ['all', 'trade', 'direct', 'group'] as const
type Kind = (typeof KINDS)[number]

/** All rooms; beside them, where there is space, the one that is open. */
export function Page() {
  const { id } = useParams()
  return (
    <div className={`wrap two${id === undefined ? '' : ' solo'}`}>
      <RoomList openId={id} />
      {id === undefined ? <Choose /> : <Outlet />}
    </div>
  )
}

function RoomList({ openId }: { openId: string | undefined }) {
  const say = useSay()
  const me = useMe()!
  const rooms = useRooms()
  const [kind, setKind] = useState<Kind>('all')
  const [isMaking, setMaking] = useState(false)
  const list = useRef<HTMLUListElement>(null)
  const presence = usePresence(
    rooms?.filter(({ type }) => type !== 'group').flatMap((room) => othersIn(room, me.id).map(({ id }) => id)) ?? [],
  )
  const typing = useTyping()
  const outbox = useOutbox()
  const Frame = openId === undefined ? 'main' : 'section'
  const shown = rooms?.filter(({ type }) => kind === 'all' || type === kind)

  const step = (event: React.KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (by === 0) return
    const links = [...(list.current?.querySelectorAll('a') ?? [])]
    const at = links.indexOf(document.activeElement as HTMLAnchorElement)
    links[at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]?.focus()
    event.preventDefault()
  }
  const row = (room: Room) => (
    <RoomRow
      key={room.id}
      room={room}
      me={me}
      isOpen={room.id === openId}
      typing={typing(room.id)}
      presence={presence}
      outgoing={outbox.filter(({ roomId }) => roomId === room.id)}
    />
  )
  return (
    <Frame id={openId === undefined ? 'main' : undefined} className="room-list" aria-label={say('shell.chats')}>
      <header>
        <div>
          {openId === undefined ? <Heading title={say('shell.chats')} /> : <h2>{say('shell.chats')}</h2>}
          <Link className="icon-button" to="/friends" aria-label={say('shell.friends')}>
            <Icon name="person" />
          </Link>
          <button
            type="button"
            className="icon-button"
            aria-label={say('rooms.newGroup')}
            onClick={() => setMaking(true)}
          >
            <Icon name="users" />
          </button>
        </div>
        <div className="segments" role="group" aria-label={say('rooms.kinds')}>
          {KINDS.map((one) => (
            <button key={one} type="button" aria-pressed={one === kind} onClick={() => setKind(one)}>
              {say(`rooms.${one}`)}
            </button>
          ))}
        </div>
      </header>
      {!shown ? (
        <RowSkeletons label={say('loading')} />
      ) : shown.length === 0 ? (
        <Empty title={say('rooms.none')} text={say('rooms.noneText')}>
          <Link className="button" to="/">
            {say('shell.browse')}
          </Link>
        </Empty>
      ) : (
        <ul ref={list} aria-label={say('shell.chats')} onKeyDown={step}>
          {shown.map(row)}
        </ul>
      )}
      {isMaking && <NewGroup onClose={() => setMaking(false)} />}
    </Frame>
  )
}

function Choose() {
  const say = useSay()
  return (
    <section className="room choose only-wide" aria-label={say('rooms.talk')}>
      <Mark />
      <h2>{say('rooms.choose')}</h2>
      <p>{say('rooms.chooseText')}</p>
    </section>
  )
}
