import { Link } from 'react-router'
import type { Message, Presence, Profile, Room } from '../contract.ts'
import { type Say, useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Badge } from '../parts/badge.tsx'
import { Icon } from '../parts/icon.tsx'
import { Time } from '../parts/time.tsx'
import { useKeptDraft } from '../state/drafts.ts'
import type { Outgoing } from '../state/outbox.ts'
import { nameOf, othersIn } from '../state/rooms.ts'
import { systemText } from './system-text.ts'

/** A room in the list: who, what was last, and what waits. */
export function RoomRow({
  room,
  me,
  isOpen,
  typing,
  presence,
  outgoing,
}: {
  room: Room
  me: Profile
  isOpen: boolean
  typing: string[]
  presence: (userId: string) => Presence | undefined
  outgoing: readonly Outgoing[]
}) {
  const say = useSay()
  const draft = useKeptDraft(me.id, `room/${room.id}`)
  const name = nameOf(room, me.id)
  const [other] = othersIn(room, me.id)
  const { lastMessage, unread, muted, type, post, members } = room
  const failed = outgoing.find(({ state }) => state === 'refused')
  const typist = typing.length > 0
  return (
    <li>
      <Link
        to={`/rooms/${room.id}`}
        className={`room-row${unread > 0 && !muted ? ' unread' : ''}`}
        aria-current={isOpen ? 'page' : undefined}
      >
        {type === 'group' ? (
          <Avatar name={name} id={room.id} size="large" />
        ) : (
          <Avatar user={other ?? null} name={name} size="large" presence={other && presence(other.id)} />
        )}
        <div>
          <b className="room-name">
            <span>{name}</span>
            {type === 'group' && <small>{members.length}</small>}
            {post && <small>{post.title}</small>}
            {muted && <Icon name="mute" small />}
          </b>
          <p>
            {typist ? (
              <span className="typist">{say('room.typing')}</span>
            ) : failed ? (
              <>
                <em className="bad">{say('room.notSent')}</em>{' '}
                {'text' in failed.sending ? failed.sending.text : say('room.photo')}
              </>
            ) : draft && !isOpen ? (
              <>
                <em>{say('room.draft')}</em> {draft}
              </>
            ) : (
              lastMessage && preview(lastMessage, room, me, say)
            )}
          </p>
        </div>
        <div className="end">
          {lastMessage && <Time at={lastMessage.createdAt} />}
          <Badge count={unread} muted={muted} />
        </div>
      </Link>
    </li>
  )
}

function preview(message: Message, room: Room, me: Profile, say: Say): string {
  if (message.kind === 'system') return systemText(message, me.id, say)
  if (message.deletedAt !== null) return say('room.deleted')
  const text = message.kind === 'image' ? say('room.photo') : (message.text ?? '')
  return room.type === 'group' && message.sender && message.sender.id !== me.id
    ? `${message.sender.displayName}: ${text}`
    : text
}
